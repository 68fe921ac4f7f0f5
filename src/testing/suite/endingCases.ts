import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { concat, next, pattern, pump, receiveAll, sameBytes, sendAll, take, text } from "./bytes.ts"
import { equal, failsWith, failureOf, isDone, isPending, quiet, reasonOf, turn, turns } from "./check.ts"
import { type MakePair, pairCase, type PairSubject } from "./PairCase.ts"

const fork = { startImmediately: true } as const

/** Ending one direction, and closing: what was sent arrives, and everybody learns how it ended. */
export const endingCases = [
  pairCase(
    "half-close: the peer sees the end, its reply still arrives",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("question")
      yield* left.end
      equal(text(yield* receiveAll(right)), "question", "the question")
      yield* turns(10)
      const reply = pattern(256 * 1024)
      yield* Effect.forkChild(Effect.andThen(pump(right, reply, 10_000).run, right.end), fork)
      sameBytes(yield* receiveAll(left), reply, "the reply")
      yield* left.closed
      yield* right.closed
    }),
    { needs: ["HalfClose"] }
  ),

  pairCase(
    "end is idempotent",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.end
      yield* left.end
      yield* isDone(right.receive, "the peer's receive")
      yield* left.end
      yield* right.end
      yield* isDone(left.receive, "our receive")
      yield* left.closed
      yield* left.end
    })
  ),

  pairCase(
    "send after end fails as closed",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("a")
      yield* left.end
      yield* failsWith(left.send("b"), "Closed", "send after end")
      yield* failsWith(left.send(new Uint8Array(100_000)), "Closed", "a large send after end")
      equal(text(yield* receiveAll(right)), "a", "what arrived")
    })
  ),

  pairCase(
    "end comes after everything that was sent",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair({ sendBytesMax: 8_192, receiveBytesMax: 8_192 })
      const bytes = pattern((subject.systemBytesMax ?? 0) + 768 * 1024)
      const sender = yield* Effect.forkChild(left.send(bytes), fork)
      yield* turns(10)
      equal(isPending(sender), true, "send waits")
      yield* left.end
      sameBytes(yield* receiveAll(right), bytes, "what arrived before the end")
      yield* Fiber.join(sender)
    })
  ),

  pairCase(
    "closing flushes 1 MiB to a slow reader",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair({
        sendBytesMax: 8_192,
        receiveBytesMax: 8_192
      })
      const bytes = pattern(1024 * 1024)
      yield* Effect.forkChild(left.send(bytes), fork)
      const closing = yield* Effect.forkChild(closeLeft, fork)
      const pieces: Array<Uint8Array> = []
      for (;;) {
        const piece = yield* next(right)
        if (piece === undefined) break
        pieces.push(piece)
        yield* turns(5)
      }
      sameBytes(concat(pieces), bytes, "what arrived")
      yield* closeRight
      yield* Fiber.join(closing)
      yield* left.closed
      yield* right.closed
    })
  ),

  pairCase(
    "closing in the turn of the last send loses nothing",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      yield* sendAll(left, ["221 ", "bye"])
      const closing = yield* Effect.forkChild(closeLeft, fork)
      equal(text(yield* receiveAll(right)), "221 bye", "what arrived")
      yield* closeRight
      yield* Fiber.join(closing)
    })
  ),

  pairCase(
    "closing while the peer sends loses nothing of ours",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      const bytes = pattern(1024 * 1024)
      // The peer sends all the while, and receives late.
      const { progress, run } = pump(right, pattern(4 * 1024 * 1024, 2), 16_384)
      const peer = yield* Effect.forkChild(Effect.exit(run), fork)
      yield* turns(20)
      const sending = yield* Effect.forkChild(Effect.exit(left.send(bytes)), fork)
      const closing = yield* Effect.forkChild(closeLeft, fork)
      yield* quiet(() => progress.accepted)
      sameBytes(yield* take(right, bytes.length), bytes, "what arrived")
      yield* closeRight
      yield* Fiber.join(closing)
      yield* Fiber.joinAll([peer, sending])
    })
  ),

  pairCase(
    "closing over bytes that were never received loses nothing of ours",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair({ receiveBytesMax: 1_024 })
      const { progress, run } = pump(right, pattern(200_000), 1_000)
      yield* Effect.forkChild(Effect.exit(run), fork)
      yield* quiet(() => progress.accepted)
      yield* left.send("bye")
      const closing = yield* Effect.forkChild(closeLeft, fork)
      equal(text(yield* receiveAll(right)), "bye", "what arrived")
      yield* closeRight
      yield* Fiber.join(closing)
    })
  ),

  pairCase(
    "closing is idempotent, also at once",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      yield* Effect.all([closeLeft, closeLeft, closeRight, closeRight], { concurrency: "unbounded" })
      yield* closeLeft
      yield* closeRight
      yield* left.closed
      yield* right.closed
    })
  ),

  pairCase(
    "closing ends what waits, and everything later says so too",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      const receiving = yield* Effect.forkChild(left.receive, fork)
      const closed = yield* Effect.forkChild(left.closed, fork)
      const closing = yield* Effect.forkChild(closeLeft, fork)
      yield* turns(5)
      equal(isPending(receiving), false, "the receive still waits")
      const reason = yield* failsWith(Fiber.join(receiving), "Closed", "the pending receive")
      yield* failsWith(left.send("x"), "Closed", "send while closing")
      yield* isDone(right.receive, "the peer's receive")
      yield* closeRight
      yield* Fiber.join(closing)
      yield* Fiber.join(closed)
      const again = yield* failsWith(left.receive, "Closed", "receive after closing")
      equal(again.message, reason.message, "the reason")
      yield* failsWith(
        left.receiveEach(() => Effect.void),
        "Closed",
        "receiveEach after closing"
      )
      yield* failsWith(left.send("x"), "Closed", "send after closing")
    })
  ),

  pairCase(
    "closing ends a receiveEach that waits",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, closeLeft, closeRight } = yield* pair()
      const loop = yield* Effect.forkChild(
        left.receiveEach(() => Effect.void),
        fork
      )
      yield* turn
      yield* Effect.all([closeLeft, closeRight], { concurrency: "unbounded" })
      yield* failsWith(Fiber.join(loop), "Closed", "the waiting receiveEach")
    })
  ),

  pairCase(
    "closing ends a send that waits, and what it had queued arrives",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right, closeLeft, closeRight } = yield* pair({
        sendBytesMax: 8_192,
        receiveBytesMax: 8_192
      })
      const bytes = pattern((subject.systemBytesMax ?? 0) + 1024 * 1024)
      const sending = yield* Effect.forkChild(left.send(bytes), fork)
      yield* turns(50)
      equal(isPending(sending), true, "send waits")
      const closing = yield* Effect.forkChild(closeLeft, fork)
      yield* failsWith(Fiber.join(sending), "Closed", "the waiting send")
      sameBytes(yield* receiveAll(right), bytes, "what arrived")
      yield* closeRight
      yield* Fiber.join(closing)
    })
  ),

  pairCase(
    "closing gives up on a peer that does not read, which must not take it for a clean end",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right, closeLeft } = yield* pair({
        sendBytesMax: 8_192,
        receiveBytesMax: 8_192,
        closeTimeout: "50 millis"
      })
      const bytes = pattern((subject.systemBytesMax ?? 0) + 1024 * 1024)
      yield* Effect.forkChild(Effect.exit(left.send(bytes)), fork)
      yield* closeLeft
      reasonOf(yield* failureOf(receiveAll(right), "receiving what is left"), ["Reset"], "how it ended")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "closed waits for both directions",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const atLeft = yield* Effect.forkChild(left.closed, fork)
      const atRight = yield* Effect.forkChild(right.closed, fork)
      yield* left.end
      yield* isDone(right.receive, "the peer's receive")
      yield* turns(20)
      equal(isPending(atLeft), true, "our closed waits")
      equal(isPending(atRight), true, "the peer's closed waits")
      yield* right.end
      yield* isDone(left.receive, "our receive")
      yield* Fiber.join(atLeft)
      yield* Fiber.join(atRight)
      yield* left.closed
    }),
    { needs: ["HalfClose"] }
  ),

  pairCase(
    "closing after both directions have ended is done at once",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      yield* left.end
      yield* isDone(right.receive, "the peer's receive")
      yield* right.end
      yield* isDone(left.receive, "our receive")
      yield* closeLeft
      yield* closeRight
    })
  )
]
