import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { HandOver } from "../reactor/HandOver.ts"
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
  private given: HandOver<Uint8Array> | undefined = undefined

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
    const given = (this.given = new HandOver<Uint8Array>())
    const give = (bytes: Uint8Array) => {
      if (given.isPending) return Effect.succeed(bytes)
      given.expect()
      return given.give(bytes)
    }
    const next = Effect.flatMap(this.inner.receive, (bytes) => {
      const first = this.arrived(bytes)
      if (first === Effect.void) return give(bytes)
      return Effect.andThen(
        Effect.onInterrupt(first, () => this.unread(bytes)),
        Effect.suspend(() => give(bytes))
      )
    })
    return Effect.suspend(() => {
      const bytes = given.reclaim()
      return bytes === undefined ? next : give(bytes)
    })
  }

  /** What did not get to an interrupted `receive`. */
  private takeBack(): Effect.Effect<void> | undefined {
    const bytes = this.given?.reclaim()
    return bytes === undefined ? undefined : this.unread(bytes)
  }

  override get receiveEach(): Transport["receiveEach"] {
    return (f) => {
      const each = this.inner.receiveEach(this.eachReceived(f))
      const back = this.takeBack()
      return back === undefined ? each : Effect.andThen(back, each)
    }
  }

  override get startTls(): Transport["startTls"] {
    return (options) =>
      Effect.suspend(() => Effect.andThen(this.takeBack() ?? Effect.void, super.startTls(options)))
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
