import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Transport } from "../../reactor/Transport.ts"
import { pattern, pump, receiveAll } from "./bytes.ts"
import {
  allSay,
  equal,
  failsWith,
  failureOf,
  isDone,
  isPending,
  quiet,
  reasonOf,
  turn,
  turns
} from "./check.ts"
import { type MakePair, pairCase, type PairSubject } from "./PairCase.ts"

const fork = { startImmediately: true } as const

/** Sends until it fails; `turnsBetween` lets the network answer. */
const sendUntilFailure = Effect.fnUntraced(function* (transport: Transport, turnsBetween: number) {
  for (;;) {
    yield* transport.send(new Uint8Array(1_024))
    yield* turns(turnsBetween)
  }
})

/** The peer is gone: one reason, the same for everybody who asks, and no hanging. */
export const lossCases = [
  pairCase(
    "the peer of an abort sees a reset, the same one every time",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const receiving = yield* Effect.forkChild(right.receive, fork)
      const closed = yield* Effect.forkChild(right.closed, fork)
      yield* turn
      yield* left.abort
      const reason = yield* failsWith(Fiber.join(receiving), "Reset", "the peer's pending receive")
      equal(reason.fault, "Remote", "whose fault it is")
      equal(yield* failsWith(Fiber.join(closed), "Reset", "closed"), reason, "the reason of closed")
      yield* allSay(right, "Reset")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "the peer of an abort sees that it is over, where there is no reset",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const ended = yield* Effect.forkChild(Effect.exit(receiveAll(right)), fork)
      yield* turn
      yield* left.abort
      yield* Fiber.join(ended)
      const reason = reasonOf(
        yield* failureOf(sendUntilFailure(right, 1), "sending to a peer that is gone"),
        ["Reset"],
        "send"
      )
      equal(yield* failsWith(right.send("x"), "Reset", "send again"), reason, "the reason of a later send")
    })
  ),

  pairCase(
    "a reset ends a receiveEach that waits",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const loop = yield* Effect.forkChild(
        right.receiveEach(() => Effect.void),
        fork
      )
      yield* turn
      yield* left.abort
      yield* failsWith(Fiber.join(loop), "Reset", "the waiting receiveEach")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "a reset that nobody waits for is kept for whoever asks",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.abort
      yield* turns(50)
      yield* failsWith(right.closed, "Reset", "closed")
      yield* allSay(right, "Reset")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "a reset ends a send that waits",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair({ sendBytesMax: 8_192, receiveBytesMax: 8_192 })
      const sending = yield* Effect.forkChild(
        left.send(pattern((subject.systemBytesMax ?? 0) + 1024 * 1024)),
        fork
      )
      yield* turns(20)
      equal(isPending(sending), true, "send waits")
      yield* right.abort
      yield* failsWith(Fiber.join(sending), "Reset", "the waiting send")
    })
  ),

  pairCase(
    "a truncated stream is never a clean end",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ receiveBytesMax: 4_096 })
      const bytes = pattern(4 * 1024 * 1024)
      const { progress, run } = pump(left, bytes, 16_384)
      const sending = yield* Effect.forkChild(Effect.exit(run), fork)
      // Part of it is received, part is buffered on this side, part is under way.
      yield* right.receive
      yield* quiet(() => progress.accepted)
      yield* left.abort
      yield* Fiber.join(sending)
      reasonOf(yield* failureOf(receiveAll(right), "receiving what is left"), ["Reset"], "how it ended")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "sending to a peer that closed fails, and never hangs",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeRight } = yield* pair()
      const closing = yield* Effect.forkChild(closeRight, fork)
      yield* isDone(left.receive, "our receive")
      yield* failsWith(sendUntilFailure(left, 50), "Reset", "sending to a peer that is gone")
      yield* failsWith(left.send("x"), "Reset", "a later send")
      yield* Fiber.join(closing)
      yield* right.closed
    })
  ),

  pairCase(
    "sending much to a peer that closed fails, and never hangs",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, closeRight } = yield* pair({ sendBytesMax: 8_192, receiveBytesMax: 8_192 })
      yield* Effect.forkChild(closeRight, fork)
      const sending = Effect.forever(left.send(new Uint8Array(200_000)))
      yield* failsWith(sending, "Reset", "sending to a peer that is gone")
    })
  ),

  pairCase(
    "a reset after our end is not taken for the peer's end",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.end
      yield* isDone(right.receive, "the peer's receive")
      yield* right.abort
      yield* failsWith(left.receive, "Reset", "our receive")
    }),
    { needs: ["Reset", "HalfClose"] }
  )
]
