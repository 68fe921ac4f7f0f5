import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { TransportView } from "../reactor/TransportView.ts"

/**
 * A view that is told of all bytes that pass, once: what was handed back and comes again is not told again. What
 * it does at once costs no fiber: its `send` is as immediate as that of the transport below.
 */
export abstract class WatchedTransport extends TransportView {
  /** `send` of the transport below, begun at once. */
  private readonly pass: Transport["send"]
  private handedBack = 0
  private receiveEffect: Transport["receive"] | undefined = undefined
  private sendFunction: Transport["send"] | undefined = undefined

  constructor(inner: Transport) {
    super(inner)
    this.pass = Immediate.beginning(inner.send)
  }

  /** Bytes came for the first time. What is returned is done before the protocol gets them. */
  protected abstract received(bytes: Uint8Array): Effect.Effect<void>

  /** Passes data on, and gives what is left to do: `Effect.void` when nothing is. Needs no fiber. */
  protected sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    return this.pass(data)
  }

  private arrived(bytes: Uint8Array): Effect.Effect<void> {
    if (this.handedBack === 0) return this.received(bytes)
    const again = Math.min(this.handedBack, bytes.length)
    this.handedBack -= again
    return again === bytes.length ? Effect.void : this.received(bytes.subarray(again))
  }

  override get receive(): Transport["receive"] {
    return (this.receiveEffect ??= this.makeReceive())
  }

  protected makeReceive(): Pull.Pull<Uint8Array, TransportError> {
    return Effect.flatMap(this.inner.receive, (bytes) => {
      const first = this.arrived(bytes)
      return first === Effect.void ? Effect.succeed(bytes) : Effect.as(first, bytes)
    })
  }

  override get receiveEach(): Transport["receiveEach"] {
    return (f) => this.inner.receiveEach(this.eachReceived(f))
  }

  /** What `receiveEach` of the transport below is to do for a piece. */
  protected eachReceived<E, R>(f: Consume<E, R>): Consume<E, R> {
    const begin = Immediate.beginning(f)
    return immediate((bytes) => {
      const first = this.arrived(bytes)
      return first === Effect.void
        ? begin(bytes)
        : Effect.andThen(
            first,
            Effect.suspend(() => begin(bytes))
          )
    })
  }

  override get unread(): Transport["unread"] {
    return (bytes) =>
      Effect.suspend(() => {
        this.handedBack += bytes.length
        return this.inner.unread(bytes)
      })
  }

  override get send(): Transport["send"] {
    return (this.sendFunction ??= Immediate.lift((data) => this.sendNow(data)))
  }
}

export type Consume<E, R> = (bytes: Uint8Array) => Effect.Effect<void, E, R>

/** What is left of such an effect is run by the loop, which has the services of its caller. */
export const immediate = <E, R>(act: Consume<E, R>): Consume<E, R> =>
  Immediate.lift(act as Consume<E, never>) as Consume<E, R>
