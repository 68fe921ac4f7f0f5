import type * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type { TransportReason } from "../reactor/ReactorError.ts"

/** A byte stream made of effects: what a `CarriedTransport` makes a transport of. Nothing of it may run after `release`. */
export interface Carrier {
  /** The next pieces; `Cause.Done` at a clean end. Not called again after it failed. */
  readonly pull: Pull.Pull<ReadonlyArray<Uint8Array>, TransportReason>
  /** Takes the bytes, and returns when there is room for more. One at a time. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, TransportReason>
  /** Ends the output behind what was written; called once. */
  readonly end: Effect.Effect<void, TransportReason>
  /** Breaks the stream, so that the other side does not take what it got for all of it. */
  readonly abort: Effect.Effect<void>
  /** Frees everything. Called once, last; cannot be interrupted. */
  readonly release: Effect.Effect<void>
  /** Gives the reason when the stream is lost and neither `pull` nor `write` is under way to say so. */
  readonly lost?: Effect.Effect<TransportReason> | undefined
  /** Whether bytes can still be written when the input has ended. */
  readonly halfClose: boolean
  /** Milliseconds for which input is awaited, and dropped, after our end went out. */
  readonly lingerTimeout: number
}
