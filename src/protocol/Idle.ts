/** Ends connections on which nothing happens. Twisted: `TimeoutFactory`, `TimeoutMixin`. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Wrapper } from "../reactor/Conversation.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Cut } from "./Cut.ts"
import { type Deadline, Deadlines } from "./Deadlines.ts"
import { WatchedTransport } from "./WatchedTransport.ts"

export interface Options {
  /** Said to the peer before the connection is closed. Its failure is ignored, its time bounded by another timeout. */
  readonly goodbye?: Uint8Array | string | undefined
}

/**
 * Closes a connection when nothing was received or sent on it for `timeout` (up to a sixteenth later): the
 * protocol is interrupted, and the conversation ends without an error. Cleaning up may take another timeout, then
 * the connection is reset. Pushing the deadline forward costs a number's assignment; one timer serves all
 * connections of the wrapper.
 */
export const over = (timeout: Duration.Input, options: Options = {}): Wrapper<Transport, Transport> => {
  const deadlines = new Deadlines(timeout)
  return (protocol) => (transport) =>
    Effect.suspend(() => {
      const cut = new Cut<void>()
      let watched: Watched | undefined
      const passed = () =>
        cut.now(Effect.void, {
          transport: watched?.transport ?? transport,
          reset: false,
          goodbye: () => options.goodbye,
          patience: timeout
        })
      return Effect.acquireUseRelease(
        deadlines.add(passed),
        (deadline) => {
          watched = { deadline, transport }
          const view = new TouchedTransport(transport, watched)
          return cut.around(protocol(view))
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
class TouchedTransport extends WatchedTransport {
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

  protected override received(): Effect.Effect<void> {
    this.deadline.touch()
    return Effect.void
  }

  protected override sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    this.deadline.touch()
    return super.sendNow(data)
  }
}
