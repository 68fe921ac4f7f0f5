import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { cut, pattern, receiveAll, sameBytes, sendAll, takeText, text, utf8 } from "./bytes.ts"
import { equal, failsWith, failureOf, turns, until } from "./check.ts"
import { type MakePair, pairCase } from "./PairCase.ts"

const fork = { startImmediately: true } as const

class Tenant extends Context.Service<Tenant, string>()("spindle/testing/suite/Tenant") {}

/** What the effect of `receiveEach` may do to the connection that it is run for. */
export const effectCases = [
  pairCase(
    "the effect may send: an echo of 1 MiB",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const bytes = pattern(1024 * 1024)
      const echo = yield* Effect.forkChild(Effect.andThen(right.receiveEach(right.send), right.end), fork)
      yield* Effect.forkChild(Effect.andThen(sendAll(left, cut(bytes, 20_000)), left.end), fork)
      sameBytes(yield* receiveAll(left), bytes, "the echo")
      yield* Fiber.join(echo)
    }),
    { needs: ["HalfClose"] }
  ),

  pairCase(
    "the effect may unread: it is not entered again before it has settled",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (const pause of [0, 1]) {
        const words: Array<string> = []
        let running = 0
        const loop = yield* Effect.forkChild(
          right.receiveEach((bytes) =>
            Effect.gen(function* () {
              equal(++running, 1, "effects that run at once")
              if (bytes.length > 3) yield* right.unread(bytes.subarray(3))
              yield* turns(pause)
              words.push(text(bytes.subarray(0, 3)))
              running--
              return yield* words.length === 3 ? Effect.fail("enough") : Effect.void
            })
          ),
          fork
        )
        yield* left.send("onetwosix")
        equal(yield* failureOf(Fiber.join(loop), "the loop"), "enough", "the failure")
        equal(words.join(" "), "one two six", "the words")
      }
    })
  ),

  pairCase(
    "the effect may give back and fail: another loop goes on where it stopped",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("hello\nraw bytes")
      yield* left.end
      let line = ""
      const greeted = yield* failureOf(
        right.receiveEach((bytes) =>
          Effect.gen(function* () {
            line += text(bytes)
            const end = line.indexOf("\n")
            if (end < 0) return
            yield* right.unread(utf8(line.slice(end + 1)))
            return yield* Effect.fail(line.slice(0, end))
          })
        ),
        "the first loop"
      )
      equal<unknown>(greeted, "hello", "the line")
      let rest = ""
      yield* right.receiveEach((bytes) =>
        Effect.sync(() => {
          rest += text(bytes)
        })
      )
      equal(rest, "raw bytes", "what the second loop received")
    })
  ),

  pairCase(
    "the effect may abort its own connection",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      let calls = 0
      const loop = yield* Effect.forkChild(
        right.receiveEach(() => {
          calls++
          return right.abort
        }),
        fork
      )
      yield* left.send("go away")
      yield* failsWith(Fiber.join(loop), "Aborted", "receiveEach whose effect aborted")
      equal(calls, 1, "calls")
    })
  ),

  pairCase(
    "the effect may close its own connection: its answer arrives",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right, closeRight, closeLeft } = yield* pair()
      const loop = yield* Effect.forkChild(
        right.receiveEach(() => Effect.andThen(right.send("bye"), closeRight)),
        fork
      )
      yield* left.send("quit")
      equal(text(yield* receiveAll(left)), "bye", "the answer")
      yield* closeLeft
      yield* failsWith(Fiber.join(loop), "Closed", "receiveEach whose effect closed")
    })
  ),

  pairCase(
    "the effect may cause the interruption of its own loop",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (const pause of [0, 2]) {
        const quit = yield* Deferred.make<string>()
        let interrupted = false
        const racing = yield* Effect.forkChild(
          Effect.raceFirst(
            right.receiveEach(() =>
              turns(pause).pipe(
                Effect.andThen(Deferred.succeed(quit, "quit")),
                Effect.andThen(Effect.never),
                Effect.onInterrupt(() =>
                  Effect.sync(() => {
                    interrupted = true
                  })
                )
              )
            ),
            Deferred.await(quit)
          ),
          fork
        )
        yield* left.send("x")
        equal<unknown>(yield* Fiber.join(racing), "quit", "who won")
        yield* until(() => interrupted, "the effect is interrupted")
        yield* left.send("next")
        equal(yield* takeText(right, 4), "next", "what came afterwards")
      }
    })
  ),

  pairCase(
    "the effect sees the services of the caller",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      let tenant = ""
      const loop = yield* Effect.forkChild(
        right
          .receiveEach(() =>
            Effect.map(Tenant, (value) => {
              tenant = value
            })
          )
          .pipe(Effect.provideService(Tenant, "a tenant")),
        fork
      )
      yield* left.send("x")
      yield* until(() => tenant !== "", "the effect runs")
      equal(tenant, "a tenant", "the service")
      yield* left.end
      yield* Fiber.join(loop)
    })
  )
]
