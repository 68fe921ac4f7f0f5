/** A small service on a datagram port: a datagram in, at most one out, to whom `ReplyGuard` admits. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { Datagram, Message, Outgoing } from "../reactor/Datagram.ts"
import type { DatagramError } from "../reactor/ReactorError.ts"
import * as ReplyGuard from "../protocol/ReplyGuard.ts"
import type { Answer } from "./SmallService.ts"

export interface Counts {
  readonly received: number
  readonly answered: number
  /** Received, and not answered because `ReplyGuard` did not admit it. */
  readonly withheld: number
}

export interface DatagramAnswers {
  /** Answers until the port is closed, or it is interrupted. */
  readonly run: Effect.Effect<void, DatagramError>
  readonly counts: Effect.Effect<Counts>
}

/**
 * Nothing that a peer does ends it: refusals that the network reports, and answers that cannot be sent, are logged at Debug.
 * One at a time runs on a port.
 */
export const make = (port: Datagram, answer: Answer, options?: ReplyGuard.Options): DatagramAnswers => {
  const guard = new ReplyGuard.ReplyGuard(NetAddress.isInetAddress(port.local) ? port.local.port : 0, options)
  let received = 0
  let answered = 0
  let withheld = 0

  const reply = Effect.fnUntraced(function* (batch: ReadonlyArray<Message>) {
    const now = Number(yield* Clock.monotonicTimeNanos) / 1e9
    const replies: Array<Outgoing> = []
    for (const { bytes, peer } of batch) {
      received++
      if (!guard.admits(peer, now)) {
        withheld++
        continue
      }
      const reply = yield* answer(bytes)
      if (reply !== undefined) replies.push({ bytes: reply, peer })
    }
    answered += replies.length
    if (replies.length > 0) yield* port.sendAll(replies).pipe(Effect.catch(tell))
  })

  return {
    run: port.receiveEach(reply, { onError: tell }),
    counts: Effect.sync(() => ({ received, answered, withheld }))
  }
}

const tell = (error: DatagramError): Effect.Effect<void, DatagramError> =>
  error.reason._tag === "Closed" ? Effect.fail(error) : Effect.logDebug("a datagram was lost", error)
