import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { pattern, receiveAll, takeText } from "./bytes.ts"
import { allSay, equal, failsWith, failureOf, isPending, reasonOf, turns } from "./check.ts"
import { type MakePair, pairCase, type PairSubject } from "./PairCase.ts"

const fork = { startImmediately: true } as const

/** Resetting a connection from our side, at any moment. */
export const abortCases = [
  pairCase(
    "abort ends what waits with one reason, which stays",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left } = yield* pair({ sendBytesMax: 8_192, receiveBytesMax: 8_192 })
      const receiving = yield* Effect.forkChild(left.receive, fork)
      const closed = yield* Effect.forkChild(left.closed, fork)
      const sending = yield* Effect.forkChild(
        left.send(pattern((subject.systemBytesMax ?? 0) + 1024 * 1024)),
        fork
      )
      yield* turns(20)
      equal(isPending(sending), true, "send waits")
      yield* left.abort
      const reason = yield* failsWith(Fiber.join(receiving), "Aborted", "the pending receive")
      equal(
        yield* failsWith(Fiber.join(sending), "Aborted", "the waiting send"),
        reason,
        "the reason of send"
      )
      equal(yield* failsWith(Fiber.join(closed), "Aborted", "closed"), reason, "the reason of closed")
      yield* allSay(left, "Aborted")
    })
  ),

  pairCase(
    "abort drops what this turn has sent",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("before ")
      equal(yield* takeText(right, 7), "before ", "what was sent before")
      yield* left.send("dropped")
      yield* left.abort
      yield* failsWith(right.receive, "Reset", "receive")
    }),
    { needs: ["Reset"] }
  ),

  pairCase(
    "abort drops what was not received yet",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("unread")
      yield* right.unread(yield* right.receive)
      yield* right.abort
      yield* failsWith(right.receive, "Aborted", "receive after abort")
    })
  ),

  pairCase(
    "abort is idempotent, and closing afterwards is done at once",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, closeLeft } = yield* pair()
      yield* left.abort
      yield* left.abort
      yield* closeLeft
      yield* left.abort
      yield* failsWith(left.closed, "Aborted", "closed")
    })
  ),

  pairCase(
    "who is woken by an abort may close at once",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      const users = [
        yield* Effect.forkChild(Effect.andThen(Effect.exit(left.receive), closeLeft), fork),
        yield* Effect.forkChild(Effect.andThen(Effect.exit(left.closed), closeLeft), fork),
        yield* Effect.forkChild(Effect.andThen(Effect.exit(right.receive), closeRight), fork)
      ]
      yield* left.abort
      yield* Fiber.joinAll(users)
      yield* failsWith(left.receive, "Aborted", "receive")
    })
  ),

  pairCase(
    "abort at any moment after the end is an abort all the same",
    Effect.fnUntraced(function* (pair: MakePair) {
      for (let moment = 0; moment < 4; moment++) {
        const { left, right, closeLeft, closeRight } = yield* pair()
        yield* left.send("last words")
        yield* left.end
        yield* turns(moment)
        yield* left.abort
        yield* failsWith(left.closed, "Aborted", "closed")
        yield* failsWith(left.receive, "Aborted", "receive")
        yield* Effect.exit(receiveAll(right))
        yield* Effect.all([closeLeft, closeRight], { concurrency: "unbounded" })
      }
    })
  ),

  pairCase(
    "abort at any moment of closing ends it",
    Effect.fnUntraced(function* (pair: MakePair) {
      for (let moment = 0; moment < 4; moment++) {
        const { left, right, closeLeft } = yield* pair()
        yield* left.send("last words")
        const closing = yield* Effect.forkChild(closeLeft, fork)
        yield* turns(moment)
        yield* left.abort
        yield* Fiber.join(closing)
        yield* Effect.exit(receiveAll(right))
      }
    })
  ),

  pairCase(
    "abort after closing changes nothing",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeLeft, closeRight } = yield* pair()
      yield* left.send("all of it")
      yield* Effect.all([closeLeft, Effect.andThen(receiveAll(right), closeRight)], {
        concurrency: "unbounded"
      })
      yield* left.abort
      yield* left.closed
      yield* failsWith(left.receive, "Closed", "receive")
    })
  ),

  pairCase(
    "abort cuts short a close that still flushes",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right, closeLeft } = yield* pair({ sendBytesMax: 8_192, receiveBytesMax: 8_192 })
      yield* Effect.forkChild(
        Effect.exit(left.send(pattern((subject.systemBytesMax ?? 0) + 1024 * 1024))),
        fork
      )
      const closing = yield* Effect.forkChild(closeLeft, fork)
      yield* turns(20)
      equal(isPending(closing), true, "closing waits for the peer to read")
      yield* left.abort
      yield* Fiber.join(closing)
      reasonOf(yield* failureOf(receiveAll(right), "receiving the rest"), ["Reset"], "how it ended")
    }),
    { needs: ["Reset"] }
  )
]
