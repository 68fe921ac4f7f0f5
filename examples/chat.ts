/**
 * Chat: a name, then talk; `/nick NAME`, `/join ROOM`, `/who`, `/quit`. Start a second `nc` to have company.
 *
 *     PORT=8010 node --conditions=source examples/chat.ts
 *     nc 127.0.0.1 8010
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Protocol, Server } from "spindle/protocol"
import { Endpoint, type Transport } from "spindle/reactor"
import { type Member, Rooms } from "./chat/Rooms.ts"

const talk = Effect.fnUntraced(function* (me: Member, lines: Lines.Lines) {
  yield* lines.send("* your name? (letters and digits)")
  while (!(yield* me.rename(yield* lines.receive))) yield* lines.send("* not that one, please")
  yield* me.join("lobby")
  while (true) {
    // Control characters of one peer are not for the terminals of others.
    const line = (yield* lines.receive).replaceAll(/\p{C}/gu, "")
    const [command, word = ""] = line.split(" ")
    if (command === "/quit") return
    if (command === "/who") yield* lines.send(`* ${(yield* me.who).join(", ")}`)
    else if (command === "/join" && /^\w{1,16}$/.test(word)) yield* me.join(word)
    else if (command === "/nick" && (yield* me.rename(word))) continue
    else if (line.startsWith("/")) yield* lines.send("* no: /nick NAME (free), /join ROOM, /who, /quit")
    else if (line !== "") yield* me.say(line)
  }
})

const converse = Effect.fnUntraced(function* (lines: Lines.Lines) {
  const me = yield* (yield* Rooms).enter
  yield* Effect.raceFirst(talk(me, lines), me.hearEach(lines.send))
})

/** A protocol as a service: a test may replace it, and what it requires is required of its Layer. */
class Chat extends Protocol.Service<Chat, Transport.Transport>()("examples/Chat") {
  static readonly layer = Protocol.layer(Chat, Effect.succeed(Lines.over({ anyNewline: true })(converse)))
}

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8010))
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, Chat, { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide(Chat.layer), Layer.provide([Rooms.layer, NodeReactor.layer]))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
