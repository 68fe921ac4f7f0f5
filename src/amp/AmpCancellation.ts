/**
 * Calls that were given up, for peers that can be told: what works on one of them there is interrupted.
 *
 * Nobody is asked whether he can, so that Twisted's peers see nothing of it. The first call of a connection has a tag that looks like
 * any other, and is one that Twisted would come to after a hundred trillion calls. Who knows what that means says so at once, by the
 * command `Spindle-Cancel` without a call; with one, it says which call was given up.
 */
import type * as Cause from "effect/Cause"
import type * as Fiber from "effect/Fiber"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AmpArgument from "./AmpArgument.ts"
import * as AmpCommand from "./AmpCommand.ts"
import type { AmpOutlet } from "./AmpOutlet.ts"
import * as AmpSession from "./AmpSession.ts"
import { type Box, encodePairs, latin1 } from "./AmpWire.ts"

/** Nobody answers it. Without a call: such commands are understood here. */
export const command = AmpCommand.notice("Spindle-Cancel", {
  arguments: { call: AmpArgument.optional(AmpArgument.String) }
})

const notice = (call: string | undefined): Uint8Array => {
  const codec = AmpCommand.codecOf(command)
  const pairs = codec.arguments.encode(call === undefined ? {} : { call: Buffer.from(call, "latin1") }, "all")
  return Result.getOrThrow(
    Result.flatMap(pairs, (own) => encodePairs(AmpSession.callPairs(codec.name, undefined, own)))
  )
}

const understood = notice(undefined)

/** The call that a box gives up; `undefined` where it says that it could be. */
export const callOf = (box: Box): string | undefined => {
  const call = box.get("call")
  return call === undefined ? undefined : latin1(call)
}

/** Of the calls of this side: which the peer has to hear of. */
export class Abandoned {
  private readonly outlet: AmpOutlet
  private readonly keptMax: number
  /** Whether the peer understands it: not known before its first word. */
  private peer: "NotHeard" | "Plain" | "Told" = "NotHeard"
  /** Given up before that. */
  private readonly early = new Set<string>()

  constructor(outlet: AmpOutlet, keptMax: number) {
    this.outlet = outlet
    this.keptMax = keptMax
  }

  /** Nobody waits for the answer to that call any more. */
  add(tag: string): void {
    if (this.peer === "Told") return void this.outlet.reply(notice(tag))
    if (this.peer === "Plain") return
    // A peer that never says a word is no reason to remember for ever.
    if (this.early.size < this.keptMax) this.early.add(tag)
  }

  /** The peer understands. */
  heard(): void {
    this.peer = "Told"
    for (const tag of this.early) void this.outlet.reply(notice(tag))
    this.early.clear()
  }

  /** An answer came: whoever understands has said so before. */
  answered(): void {
    if (this.peer !== "NotHeard") return
    this.peer = "Plain"
    this.early.clear()
  }
}

/** A command that is worked on, or waits for its turn. */
interface Asked {
  /** That works on it. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  abandoned: boolean
}

/** Of the calls of the peer: those that it may give up. */
export class Cancellable {
  private readonly outlet: AmpOutlet
  private readonly asked = new Map<string, Asked>()
  private on = false

  constructor(outlet: AmpOutlet) {
    this.outlet = outlet
  }

  /** Whether the peer was told that its calls can be given up. */
  get isOn(): boolean {
    return this.on
  }

  /** A call came with that tag: where it is one of a peer that understands, it is told that this side does. */
  see(tag: Uint8Array): boolean {
    if (this.on || !AmpSession.isFirstTag(tag)) return false
    this.on = true
    void this.outlet.reply(understood)
    return true
  }

  /** The peer does not wait for that call any more. What was answered meanwhile is none. */
  cancel(tag: string): void {
    const asked = this.asked.get(tag)
    if (asked === undefined) return
    this.asked.delete(tag)
    asked.abandoned = true
    asked.fiber?.interruptUnsafe()
  }

  /**
   * A handler that the peer can give up: until it is done, and not while its answer leaves, or a peer that does not read could have any
   * number of them. Interrupts the fiber that it runs in.
   */
  over<A, E, R, B, F, Q>(
    tag: Uint8Array,
    handler: Effect.Effect<A, E, R>,
    then: {
      readonly onSuccess: (value: A) => Effect.Effect<B, F, Q>
      readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<B, F, Q>
    }
  ): Effect.Effect<B | void, F, R | Q> {
    const key = latin1(tag)
    const asked: Asked = { fiber: undefined, abandoned: false }
    this.asked.set(key, asked)
    // A peer may use a tag twice: the later call is the one that it can give up.
    const forget = () => {
      if (this.asked.get(key) === asked) this.asked.delete(key)
    }
    const watched = Effect.matchCauseEffect(handler, {
      onSuccess: (value) => {
        forget()
        return then.onSuccess(value)
      },
      onFailure: (cause) => {
        forget()
        return then.onFailure(cause)
      }
    })
    return Effect.withFiber((fiber): Effect.Effect<B | void, F, R | Q> => {
      if (asked.abandoned) return Effect.void
      asked.fiber = fiber
      return watched
    })
  }
}
