/** A service on a datagram port: a datagram in, those of its answer out. Whom to answer is its own to say: see `ReplyGuard`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Datagram, Message, Outgoing } from "../reactor/Datagram.ts"
import type { DatagramError } from "../reactor/ReactorError.ts"

/** What goes back to whom a datagram came from; `uptimeSeconds` is the same for all that came at once. */
export type Answer<R> = (
  message: Message,
  uptimeSeconds: number
) => Effect.Effect<ReadonlyArray<Uint8Array>, never, R>

/** Answers to one batch of datagrams, which may be a thousand, that are made before they are sent. */
const unsentBytesMax = 262_144

/**
 * Answers until the port is closed, or it is interrupted. Nothing that a peer does ends it: refusals that the network reports, and
 * answers that cannot be sent, are logged at Debug. One at a time runs on a port.
 */
export const serve = <R>(port: Datagram, answer: Answer<R>): Effect.Effect<void, DatagramError, R> => {
  const reply = Effect.fnUntraced(function* (batch: ReadonlyArray<Message>) {
    const uptimeSeconds = Number(yield* Clock.monotonicTimeNanos) / 1e9
    let replies: Array<Outgoing> = []
    let unsentBytes = 0
    for (const message of batch) {
      for (const bytes of yield* answer(message, uptimeSeconds)) {
        replies.push({ bytes, peer: message.peer })
        unsentBytes += bytes.length
      }
      if (unsentBytes < unsentBytesMax) continue
      // No more is made before what there is has left.
      yield* port.sendAll(replies).pipe(Effect.catch(tell))
      replies = []
      unsentBytes = 0
    }
    if (replies.length > 0) yield* port.sendAll(replies).pipe(Effect.catch(tell))
  })
  return port.receiveEach(reply, { onError: tell })
}

const tell = (error: DatagramError): Effect.Effect<void, DatagramError> =>
  error.reason._tag === "Closed" ? Effect.fail(error) : Effect.logDebug("a datagram was lost", error)
