/**
 * Values above 65,535 bytes, for peers that have agreed to them: their pieces follow each other under one key. The first time that
 * such a value is to be sent, the peer is asked by a command of its own; a peer that does not know it answers that it does not, and
 * has seen nothing else of this.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AmpArgument from "./AmpArgument.ts"
import * as AmpCommand from "./AmpCommand.ts"
import type { TooLong } from "./AmpError.ts"
import { encodePairs, type Pair, valueBytesMax } from "./AmpWire.ts"

/** Both sides say how large a box they take. */
export const command = AmpCommand.make("Spindle-Large-Values", {
  arguments: { boxBytesMax: AmpArgument.Integer },
  response: { boxBytesMax: AmpArgument.Integer }
})

/** Too large for a peer that was not asked yet. */
export const tooLarge = Symbol("too large")

/** What is known of the peer: not yet anything, that it has no such thing, or the largest box that it takes. */
type Known = "NotAsked" | "Asking" | "Plain" | number

export class LargeValues {
  /** The largest box that we take; 0 for none of this. */
  readonly boxBytesMax: number
  private known: Known
  private readonly waiters = new Set<() => void>()
  /** Asks the peer; given by whoever can. */
  inquire: () => void = () => {}

  constructor(boxBytesMax: number) {
    this.boxBytesMax = boxBytesMax
    this.known = boxBytesMax === 0 ? "Plain" : "NotAsked"
  }

  encode(pairs: ReadonlyArray<Pair>): Result.Result<Uint8Array, TooLong | typeof tooLarge> {
    const plain = encodePairs(pairs)
    if (Result.isSuccess(plain) || this.known === "Plain") return plain
    if (typeof this.known !== "number") return Result.fail(tooLarge)
    return encodePairs(pairs, { largeValues: true, boxBytesMax: this.known })
  }

  /** Goes on when the peer has answered. */
  readonly whenKnown = (then: () => void): void => {
    this.waiters.add(then)
    if (this.known !== "NotAsked") return
    this.known = "Asking"
    this.inquire()
  }

  /** Waits until the peer has answered. */
  readonly agree: Effect.Effect<void> = Effect.callback((resume) => {
    const then = () => resume(Effect.void)
    this.whenKnown(then)
    return Effect.sync(() => {
      this.waiters.delete(then)
    })
  })

  /** The peer has asked, or answered: a number for the largest box it takes. */
  learn(answer: number | "Plain"): void {
    // It may have asked while it was asked: what it said first holds.
    if (typeof this.known !== "number") {
      this.known = typeof answer === "number" && answer > valueBytesMax ? answer : "Plain"
    }
    this.wake()
  }

  end(): void {
    this.known = "Plain"
    this.wake()
  }

  private wake(): void {
    const waiters = [...this.waiters]
    this.waiters.clear()
    for (const then of waiters) then()
  }
}
