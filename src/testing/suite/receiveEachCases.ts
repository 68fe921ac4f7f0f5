import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { TransportError } from "../../reactor/ReactorError.ts"
import type { Transport } from "../../reactor/Transport.ts"
import { concat, pattern, pump, sameBytes, take, takeText, text } from "./bytes.ts"
import { equal, failureOf, that, turn, turns, until } from "./check.ts"
import { type MakePair, pairCase } from "./PairCase.ts"

const fork = { startImmediately: true } as const

class Refusal extends Data.TaggedError("Refusal")<{ readonly why: string }> {}

/** The loop `receiveEach`: one effect after another, and whatever the effect does is what happens. */
export const receiveEachCases = [
  pairCase(
    "receiveEach runs its effect for one piece after another, in order",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ receiveBytesMax: 4_096 })
      const bytes = pattern(256 * 1024)
      yield* Effect.forkChild(Effect.andThen(pump(left, bytes, 3_000).run, left.end), fork)
      const pieces: Array<Uint8Array> = []
      let running = 0
      yield* right.receiveEach((piece) =>
        Effect.gen(function* () {
          equal(++running, 1, "effects that run at once")
          that(piece.length > 0, "receiveEach gave an empty piece")
          // Every third one at once, the others after some turns.
          yield* turns(pieces.length % 3)
          pieces.push(piece)
          running--
        })
      )
      sameBytes(concat(pieces), bytes, "what arrived")
    })
  ),

  pairCase(
    "receiveEach takes what came before it was called first",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("early ")
      const early = yield* right.receive
      yield* right.unread(early)
      yield* left.send("late")
      yield* left.end
      const pieces: Array<string> = []
      yield* right.receiveEach((bytes) => Effect.sync(() => pieces.push(text(bytes))))
      equal(pieces.join(""), "early late", "what arrived")
    })
  ),

  pairCase(
    "a failure of the effect is the result, and the stream goes on",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (const pause of [0, 2]) {
        yield* left.send("refuse me")
        const refusal = new Refusal({ why: `after ${pause} turns` })
        let seen = ""
        const error = yield* failureOf(
          right.receiveEach((bytes) => {
            seen += text(bytes)
            return seen === "refuse me" ? Effect.andThen(turns(pause), Effect.fail(refusal)) : Effect.void
          }),
          "receiveEach whose effect fails"
        )
        equal<unknown>(error, refusal, "the failure")
        yield* left.send("next")
        equal(yield* takeText(right, 4), "next", "what came after the failure")
      }
    })
  ),

  pairCase(
    "a defect of the effect is a defect of receiveEach",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const defect = new Error("a defect, made on purpose")
      const effects: ReadonlyArray<() => Effect.Effect<void>> = [
        () => Effect.die(defect),
        () => Effect.andThen(turn, Effect.die(defect)),
        () => {
          throw defect
        }
      ]
      for (const f of effects) {
        yield* left.send("x")
        const exit = yield* Effect.exit(right.receiveEach(f))
        that(Exit.isFailure(exit), "receiveEach survived a defect")
        const found = Cause.findDefect(exit.cause)
        that(
          Result.isSuccess(found) && found.success === defect,
          `not that defect: ${Cause.pretty(exit.cause)}`
        )
        yield* left.send("next")
        equal(yield* takeText(right, 4), "next", "what came after the defect")
      }
    })
  ),

  pairCase(
    "a defect in one connection leaves another one alone",
    Effect.fnUntraced(function* (pair: MakePair) {
      const one = yield* pair()
      const other = yield* pair()
      const echo = yield* Effect.forkChild(other.right.receiveEach(other.right.send), fork)
      yield* one.left.send("x")
      const exit = yield* Effect.exit(one.right.receiveEach(() => Effect.die("a defect, made on purpose")))
      that(Exit.isFailure(exit), "receiveEach survived a defect")
      yield* Effect.all([one.closeRight, one.closeLeft], { concurrency: "unbounded" })
      yield* other.left.send("unharmed")
      equal(yield* takeText(other.left, 8), "unharmed", "the echo of the other connection")
      yield* other.left.end
      yield* Fiber.join(echo)
    })
  ),

  pairCase(
    "interrupting receiveEach interrupts its effect, and what follows is not lost",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const started = yield* Deferred.make<string>()
      let interrupted = false
      const loop = yield* Effect.forkChild(
        right.receiveEach((bytes) =>
          Deferred.succeed(started, text(bytes)).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() =>
              Effect.sync(() => {
                interrupted = true
              })
            )
          )
        ),
        fork
      )
      yield* left.send("first")
      equal(yield* Deferred.await(started), "first", "what the effect was given")
      yield* left.send("second")
      yield* turns(5)
      yield* Fiber.interrupt(loop)
      that(interrupted, "the effect was not interrupted")
      equal(yield* takeText(right, 6), "second", "what came meanwhile")
    })
  ),

  pairCase(
    "interrupting an idle receiveEach leaves the stream to the next one",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (let i = 0; i < 50; i++) {
        const loop = yield* Effect.forkChild(
          right.receiveEach(() => Effect.void),
          fork
        )
        yield* turns(i % 3)
        yield* Fiber.interrupt(loop)
      }
      yield* left.send("still here")
      equal(yield* takeText(right, 10), "still here", "what was received")
    })
  ),

  pairCase(
    "receiveEach on both sides: a volley",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const strokes = 2_000
      let count = 0
      const stroke =
        (transport: Transport) =>
        (bytes: Uint8Array): Effect.Effect<void, string | TransportError> => {
          if (++count === strokes) return Effect.fail("enough")
          return transport.send(bytes)
        }
      const fibers = [
        yield* Effect.forkChild(left.receiveEach(stroke(left)), fork),
        yield* Effect.forkChild(right.receiveEach(stroke(right)), fork)
      ]
      yield* left.send("o")
      yield* until(() => fibers.some((fiber) => fiber.pollUnsafe() !== undefined), "the volley ends")
      equal(count, strokes, "strokes")
      yield* Fiber.interruptAll(fibers)
      sameBytes(yield* take(left, 0), new Uint8Array(0), "nothing")
    }),
    { once: true }
  )
]
