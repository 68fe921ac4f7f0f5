/** A small service on a datagram port: a datagram in, at most one out, to whom `ReplyGuard` admits. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as DatagramReplies from "../protocol/DatagramReplies.ts"
import type { Datagram } from "../reactor/Datagram.ts"
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

/** Nothing that a peer does ends it. One at a time runs on a port. */
export const make = (port: Datagram, answer: Answer, options?: ReplyGuard.Options): DatagramAnswers => {
  const guard = new ReplyGuard.ReplyGuard(NetAddress.isInetAddress(port.local) ? port.local.port : 0, options)
  let received = 0
  let answered = 0
  let withheld = 0

  const reply: DatagramReplies.Answer<never> = Effect.fnUntraced(function* ({ bytes, peer }, uptimeSeconds) {
    received++
    if (!guard.admits(peer, uptimeSeconds)) {
      withheld++
      return []
    }
    const reply = yield* answer(bytes)
    if (reply === undefined) return []
    answered++
    return [reply]
  })

  return {
    run: DatagramReplies.serve(port, reply),
    counts: Effect.sync(() => ({ received, answered, withheld }))
  }
}
