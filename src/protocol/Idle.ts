/** Ends connections on which nothing happens. Twisted: `TimeoutFactory`, `TimeoutMixin`. */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Wrapper } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type Deadline, Deadlines } from "./Deadlines.ts"
import { TransportView } from "./TransportView.ts"

export interface Options {
  /** Said to the peer before the connection is closed. Its failure is ignored, its time bounded by another timeout. */
  readonly goodbye?: Uint8Array | string | undefined
}

/**
 * Closes a connection when nothing was received or sent on it for `timeout` (up to a sixteenth later): the
 * protocol is interrupted, and the conversation ends without an error. Pushing the deadline forward costs a
 * number's assignment; one timer serves all connections of the wrapper.
 */
export const over = (timeout: Duration.Input, options: Options = {}): Wrapper<Transport, Transport> => {
  const deadlines = new Deadlines(timeout)
  return (protocol) => (transport) =>
    Effect.suspend(() => {
      const passed = Deferred.makeUnsafe<void>()
      return Effect.acquireUseRelease(
        deadlines.add(() => Deferred.doneUnsafe(passed, Effect.void)),
        (deadline) => {
          const watched: Watched = { deadline, transport }
          const goodbye = Effect.suspend(() =>
            options.goodbye === undefined ? Effect.void : watched.transport.send(options.goodbye)
          )
          return Effect.raceFirst(
            protocol(new TouchedTransport(transport, watched)),
            Effect.andThen(Deferred.await(passed), Effect.ignore(Effect.timeoutOption(goodbye, timeout)))
          )
        },
        (deadline) => Effect.sync(() => deadlines.remove(deadline))
      )
    })
}

interface Watched {
  readonly deadline: Deadline
  /** The one that takes bytes now: TLS puts another in its place. */
  transport: Transport
}

/** Every piece received or sent touches the deadline. */
class TouchedTransport extends TransportView {
  private readonly watched: Watched
  private readonly deadline: Deadline

  constructor(inner: Transport, watched: Watched) {
    super(inner)
    this.watched = watched
    this.deadline = watched.deadline
  }

  protected override again(secured: Transport): Transport {
    this.watched.transport = secured
    return new TouchedTransport(secured, this.watched)
  }

  override get receive(): Transport["receive"] {
    return Effect.tap(this.inner.receive, () => Effect.sync(() => this.deadline.touch()))
  }

  override get receiveEach(): Transport["receiveEach"] {
    return (f) =>
      this.inner.receiveEach((bytes) => {
        this.deadline.touch()
        return f(bytes)
      })
  }

  override get send(): Transport["send"] {
    return (data) =>
      Effect.suspend(() => {
        this.deadline.touch()
        return this.inner.send(data)
      })
  }
}
