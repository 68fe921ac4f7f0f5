/**
 * memcached over UDP, on a port: off unless it is asked for.
 *
 * The sender of a datagram is whoever it says it is, and an answer is larger than its question: memcached's UDP made the largest floods of
 * 2018 (CVE-2018-1000115). So an answer has a limit, no machine but this one gets more than so many datagrams a second, and none goes to
 * a port that would answer in turn (`ReplyGuard`).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as DatagramReplies from "../protocol/DatagramReplies.ts"
import * as ReplyGuard from "../protocol/ReplyGuard.ts"
import type { Datagram } from "../reactor/Datagram.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { DatagramError } from "../reactor/ReactorError.ts"
import * as MemcacheDatagramSession from "./MemcacheDatagramSession.ts"
import type { MemcacheEngine } from "./MemcacheEngine.ts"

export interface Options extends MemcacheDatagramSession.Options {
  /** Datagrams a second to one machine, in the long run; twice as many at once after a pause. This machine gets any number. Default 1,000. */
  readonly peerDatagramsPerSecond?: number | undefined
  /** Datagrams a second to all other machines together. Default ten times those to one. */
  readonly datagramsPerSecond?: number | undefined
}

/** What the system is asked to hold for a port, unless the endpoint says: it gives as much as it allows. A hundred sets at once are more than it holds by itself. */
const bufferBytes = 4 * 1_048_576

export const buffered = (endpoint: Endpoint.Udp): Endpoint.Udp => ({
  receiveBufferBytes: bufferBytes,
  sendBufferBytes: bufferBytes,
  ...endpoint
})

/** Answers until the port is closed, or it is interrupted. Nothing that a peer does ends it. One at a time runs on a port. */
export const serve = Effect.fnUntraced(function* (
  port: Datagram,
  engine: MemcacheEngine,
  options: Options = {}
): Effect.fn.Return<void, DatagramError> {
  const clock = yield* Clock.Clock
  const session = new MemcacheDatagramSession.MemcacheDatagramSession(engine, options)
  const localPort = NetAddress.isInetAddress(port.local) ? port.local.port : 0
  const guard = new ReplyGuard.ReplyGuard(localPort, limitsOf(options))
  const { counters } = engine

  const answer: DatagramReplies.Answer<never> = ({ bytes, peer }, uptimeSeconds) =>
    Effect.sync(() => {
      const datagrams = session.answer(bytes, clock.currentTimeMillisUnsafe())
      if (datagrams.length === 0) return datagrams
      if (!guard.admits(peer, uptimeSeconds, datagrams.length)) {
        counters.udp_withheld++
        return []
      }
      for (const { length } of datagrams) counters.bytes_written += length
      return datagrams
    })

  return yield* Effect.acquireUseRelease(
    Effect.sync(() => void (engine.udpPort = localPort)),
    () => DatagramReplies.serve(port, answer),
    () => Effect.sync(() => void (engine.udpPort = 0))
  )
})

const limitsOf = ({ datagramsPerSecond, peerDatagramsPerSecond = 1_000 }: Options): ReplyGuard.Options => ({
  peerAnswersPerSecond: peerDatagramsPerSecond,
  peerAnswersBurst: 2 * peerDatagramsPerSecond,
  answersPerSecond: datagramsPerSecond ?? 10 * peerDatagramsPerSecond,
  isUnlimited: NetAddress.isLoopback
})
