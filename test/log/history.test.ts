import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import * as LogHistory from "../../src/log/LogHistory.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { withLoggers } from "./logging.ts"

const say = (history: LogHistory.LogHistory, from: number, to: number) =>
  withLoggers(history.logger)(
    Effect.forEach(
      Array.from({ length: to - from }, (_, index) => from + index),
      (n) => Effect.log(n),
      { discard: true }
    )
  )

const said = (history: LogHistory.LogHistory) =>
  Effect.map(history.records, (records) => records.map(({ message }) => message))

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index))

describe("LogHistory", () => {
  it.effect("keeps the newest lines", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make({ linesMax: 3 })
      assert.deepStrictEqual(yield* said(history), [])
      for (let n = 0; n < 10; n++) {
        yield* say(history, n, n + 1)
        assert.deepStrictEqual(yield* said(history), range(Math.max(0, n - 2), n + 1))
      }
    })
  )

  it.effect("keeps no more bytes, but the newest line always", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make({ bytesMax: 2000 })
      const log = (text: string) => withLoggers(history.logger)(Effect.log(text))
      yield* say(history, 0, 100)
      const count = (yield* said(history)).length
      assert.isAbove(count, 3)
      assert.isBelow(count, 13)
      yield* log("x".repeat(10_000))
      assert.strictEqual((yield* said(history)).length, 1)
      yield* log("y")
      assert.deepStrictEqual(yield* said(history), ["y"])
    })
  )

  it.effect("replays the last, and ends", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make()
      yield* say(history, 0, 5)
      const last = (last?: number) =>
        Effect.map(Stream.runCollect(history.stream({ last })), (records) =>
          records.map(({ message }) => message)
        )
      assert.deepStrictEqual(yield* last(), range(0, 5))
      assert.deepStrictEqual(yield* last(2), range(3, 5))
      assert.deepStrictEqual(yield* last(0), [])
      assert.deepStrictEqual(yield* last(9), range(0, 5))
    })
  )

  it.effect("is followed by several, from where each began, with nothing missing or twice", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make({ linesMax: 10_000 })
      yield* say(history, 0, 3)
      const follow = (last: number, count: number) =>
        history.stream({ last, follow: true }).pipe(
          Stream.take(count),
          Stream.runCollect,
          Effect.map((records) => records.map(({ message }) => message)),
          Effect.forkChild({ startImmediately: true })
        )
      const a = yield* follow(2, 1002)
      const b = yield* follow(0, 1000)
      yield* say(history, 3, 4)
      yield* Effect.yieldNow
      for (let n = 4; n < 1003; n += 3) {
        yield* say(history, n, n + 3)
        if (n % 2 === 0) yield* Effect.yieldNow
      }
      assert.deepStrictEqual(yield* Fiber.join(a), range(1, 1003))
      assert.deepStrictEqual(yield* Fiber.join(b), range(3, 1003))
    })
  )

  it.effect("tells a slow follower how much it missed", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make({ linesMax: 5 })
      const gate = yield* Latch.make()
      const seen: Array<string> = []
      const fiber = yield* history.stream({ follow: true }).pipe(
        Stream.take(8),
        Stream.runForEach(({ message }) =>
          Effect.andThen(
            Effect.sync(() => void seen.push(message)),
            gate.await
          )
        ),
        Effect.forkChild({ startImmediately: true })
      )
      yield* say(history, 0, 2)
      yield* Effect.repeat(Effect.yieldNow, { until: () => seen.length > 0 })
      yield* say(history, 2, 12)
      yield* gate.open
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, ["0", "1", "5 lines were missed here", ...range(7, 12)])
    })
  )

  it.effect("a follower that is interrupted is gone, and others go on", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make()
      const follow = history.stream({ follow: true }).pipe(Stream.take(1), Stream.runCollect)
      const a = yield* Effect.forkChild(follow, { startImmediately: true })
      const b = yield* Effect.forkChild(follow, { startImmediately: true })
      yield* Fiber.interrupt(a)
      yield* say(history, 7, 8)
      assert.strictEqual((yield* Fiber.join(b))[0]?.message, "7")
    })
  )

  it.live("a follower that has nothing to do does nothing", () =>
    Effect.gen(function* () {
      const history = yield* LogHistory.make()
      yield* Effect.forkScoped(Stream.runDrain(history.stream({ follow: true })), { startImmediately: true })
      yield* say(history, 0, 10)
      yield* Effect.sleep(20)
      const before = cpuMillis()
      yield* Effect.sleep(400)
      assert.isBelow(cpuMillis() - before, 200)
    })
  )
})
