/** The rooms of `chat.ts`: who is in which, and what is on its way to each. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** Someone in a room; in none, called "", before the first `join`. */
export interface Member {
  /** Takes a name of 1 to 16 letters, digits or `_`; false when it is none, or somebody's. */
  readonly rename: (nick: string) => Effect.Effect<boolean>
  readonly join: (room: string) => Effect.Effect<void>
  /** To everybody in the room, the speaker included. */
  readonly say: (text: string) => Effect.Effect<void>
  /** Runs `f` for each thing said in the room. Who is slow misses the oldest, and holds up nobody. */
  readonly hearEach: <E, R>(f: (text: string) => Effect.Effect<void, E, R>) => Effect.Effect<never, E, R>
  readonly who: Effect.Effect<ReadonlyArray<string>>
}

type Enter = Effect.Effect<Member, never, Scope.Scope>
const unheardMax = 100

/** `enter` makes a member, who leaves when the scope closes. */
export class Rooms extends Context.Service<Rooms, { readonly enter: Enter }>()("examples/chat/Rooms") {
  static readonly layer = Layer.sync(Rooms, () => {
    const members = new Set<{ nick: string; room: string; unheard: Queue.Queue<string> }>()
    const enter: Enter = Effect.gen(function* () {
      const me = { nick: "", room: "", unheard: yield* Queue.sliding<string>(unheardMax) }
      const here = () => [...members].filter(({ room }) => room === me.room)
      const tell = (text: string) =>
        me.room === "" ? undefined : here().forEach(({ unheard }) => Queue.offerUnsafe(unheard, text))
      const isFree = (nick: string) => [...members].every((member) => member.nick !== nick)
      const rename = (nick: string): boolean => {
        if (!/^\w{1,16}$/.test(nick) || !isFree(nick)) return false
        tell(`* ${me.nick} is now ${nick}`)
        me.nick = nick
        return true
      }
      const join = (room: string) => {
        tell(`* ${me.nick} goes to ${room}`)
        me.room = room
        tell(`* ${me.nick} comes to ${room}`)
      }
      const leave = () => members.delete(me) && tell(`* ${me.nick} left`)
      yield* Effect.addFinalizer(() => Effect.sync(leave))
      members.add(me)
      return {
        rename: (nick) => Effect.sync(() => rename(nick)),
        join: (room) => Effect.sync(() => join(room)),
        say: (text) => Effect.sync(() => tell(`<${me.nick}> ${text}`)),
        hearEach: (f) => Effect.forever(Effect.flatMap(Queue.take(me.unheard), f)),
        who: Effect.sync(() => here().map(({ nick }) => nick))
      }
    })
    return { enter }
  })
}
