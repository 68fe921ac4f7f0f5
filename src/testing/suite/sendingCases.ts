import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  concat,
  cut,
  next,
  pattern,
  pump,
  receiveAll,
  sameBytes,
  sendAll,
  take,
  text,
  utf8
} from "./bytes.ts"
import { equal, that, turn } from "./check.ts"
import { type MakePair, pairCase } from "./PairCase.ts"

/** Bytes arrive whole, in order, and not in more writes than turns. */
export const sendingCases = [
  pairCase(
    "bytes arrive in order",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const pieces = Array.from({ length: 1_000 }, (_, i) => pattern((i * 7) % 300, i + 1))
      yield* Effect.forkChild(Effect.andThen(sendAll(left, pieces), left.end), { startImmediately: true })
      sameBytes(yield* receiveAll(right), concat(pieces), "what arrived")
    })
  ),

  pairCase(
    "both directions at the same time",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const fromLeft = pattern(512 * 1024, 1)
      const fromRight = pattern(512 * 1024, 2)
      const [atLeft, atRight] = yield* Effect.all(
        [
          take(left, fromRight.length),
          take(right, fromLeft.length),
          sendAll(left, cut(fromLeft, 5_000)),
          sendAll(right, cut(fromRight, 7_000))
        ],
        { concurrency: "unbounded" }
      )
      sameBytes(atLeft, fromRight, "what the left side received")
      sameBytes(atRight, fromLeft, "what the right side received")
    }),
    { once: true }
  ),

  pairCase(
    "an empty send does nothing",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* sendAll(left, ["", new Uint8Array(0)])
      yield* turn
      yield* sendAll(left, ["", "x", new Uint8Array(0)])
      yield* left.end
      equal(text(yield* receiveAll(right)), "x", "what arrived")
    })
  ),

  pairCase(
    "a string leaves as UTF-8, among bytes",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const long = "grüße 🌀 日本語 ".repeat(6_000)
      const pieces = ["naïve ", utf8("bytes "), "🌀", "🌀 ", long, utf8("é"), long, "end"]
      yield* Effect.forkChild(Effect.andThen(sendAll(left, pieces), left.end), { startImmediately: true })
      const expected = concat(pieces.map((piece) => (typeof piece === "string" ? utf8(piece) : piece)))
      sameBytes(yield* receiveAll(right), expected, "what arrived")
    })
  ),

  pairCase(
    "what is sent in one turn leaves in one write",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const pieces = ["one ", utf8("two "), "three ", "four ", utf8("five")]
      for (let round = 0; round < 20; round++) {
        yield* sendAll(left, pieces)
        const piece = yield* right.receive
        equal(text(piece), "one two three four five", `the first piece of round ${round}`)
      }
    }),
    { needs: ["Chunks"] }
  ),

  pairCase(
    "what an answer sends from within receiveEach leaves in one write",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* Effect.forkChild(
        right.receiveEach(() => sendAll(right, ["one ", "two ", "three"])),
        { startImmediately: true }
      )
      for (let round = 0; round < 20; round++) {
        yield* left.send("?")
        equal(text(yield* left.receive), "one two three", `the answer of round ${round}`)
      }
    }),
    { needs: ["Chunks"] }
  ),

  pairCase(
    "fibers that send at once each keep their order",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ sendBytesMax: 512 })
      const fibers = 8
      const messages = 250
      const sender = Effect.fnUntraced(function* (id: number) {
        for (let i = 0; i < messages; i++) {
          yield* left.send(Uint8Array.of(id, i))
          if (i % (id + 2) === 0) yield* turn
        }
      })
      yield* Effect.forkChild(
        Effect.andThen(
          Effect.forEach(
            Array.from({ length: fibers }, (_, id) => id),
            sender,
            {
              concurrency: "unbounded",
              discard: true
            }
          ),
          left.end
        ),
        { startImmediately: true }
      )
      const received = yield* receiveAll(right)
      equal(received.length, fibers * messages * 2, "bytes received")
      const seen = Array.from({ length: fibers }, () => 0)
      for (let i = 0; i < received.length; i += 2) {
        const id = received[i]!
        equal(received[i + 1], seen[id]!, `the next message of fiber ${id}`)
        seen[id]!++
      }
    })
  ),

  pairCase(
    "8 MiB in pieces arrive whole",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const bytes = pattern(8 * 1024 * 1024)
      const fiber = yield* Effect.forkChild(pump(left, bytes, 60_000).run, { startImmediately: true })
      sameBytes(yield* take(right, bytes.length), bytes, "what arrived")
      yield* Fiber.join(fiber)
    })
  ),

  pairCase(
    "8 MiB in one piece arrive whole, also to a reader that dawdles",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ receiveBytesMax: 16_384 })
      const bytes = pattern(8 * 1024 * 1024, 3)
      yield* Effect.forkChild(Effect.andThen(left.send(bytes), left.end), { startImmediately: true })
      const pieces: Array<Uint8Array> = []
      for (;;) {
        const piece = yield* next(right)
        if (piece === undefined) break
        // Kept, not copied: they stay what they were.
        pieces.push(piece)
        if (pieces.length % 16 === 0) yield* turn
      }
      that(pieces.length > 1, "8 MiB came as one piece")
      sameBytes(concat(pieces), bytes, "what arrived")
    }),
    { once: true }
  )
]
