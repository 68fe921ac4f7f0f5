import { spawn } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Context from "effect/Context"
import type { Reading } from "../../../examples/gateway/Reading.ts"
import { Store } from "../../../examples/gateway/Store.ts"
import type { AggregateFunction, Options, Point } from "../../../examples/gateway/Store.ts"
import type { StoreError } from "../../../examples/gateway/StoreError.ts"
import { temporaryDirectory } from "./fixtures/temporaryDirectory.ts"

const opened = (directory: string, options: Omit<Options, "directory"> = {}) =>
  Effect.map(Layer.build(Store.layer({ directory, busyTimeout: 0, ...options })), Context.get(Store))

/** A store of its own in an empty directory. */
const fresh = Effect.flatMap(temporaryDirectory, (directory) => opened(directory))

/** A second connection to the same file, as another program would have. */
const neighbour = (directory: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(join(directory, "telemetry.db"))),
    (db) => Effect.sync(() => db.close())
  )

const series = { station: "a", metric: "b" }
const reading = (time: number, value: number): Reading => ({ ...series, time, value })
const tag = (error: StoreError): string => `${error.operation} ${error.reason._tag}`

// Rows of the database have no prototype.
const plain = (points: ReadonlyArray<Point>): Array<Point> =>
  points.map(({ time, value }) => ({ time, value }))

const hour = 3_600_000
const day = 24 * hour

describe("Store", () => {
  it.effect("creates the directory, and keeps readings from one opening to the next", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "data", "telemetry")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(directory)
          yield* store.append(reading(2, 20))
          yield* store.appendAll([reading(1, 10), { ...reading(3, 30), metric: "c" }])
        })
      )
      assert.isTrue(existsSync(join(directory, "telemetry.db")))
      const store = yield* opened(directory)
      assert.deepStrictEqual(plain(yield* store.readings(series)), [
        { time: 1, value: 10 },
        { time: 2, value: 20 }
      ])
      assert.deepStrictEqual(plain(yield* store.readings({ ...series, metric: "c" })), [
        { time: 3, value: 30 }
      ])
    })
  )

  it.effect("keeps the last of two readings with the same time", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      yield* store.appendAll([reading(1, 1), reading(1, 2)])
      assert.deepStrictEqual(plain(yield* store.readings(series)), [{ time: 1, value: 2 }])
      yield* Effect.all([store.append(reading(1, 3)), store.append(reading(1, 4))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(plain(yield* store.readings(series)), [{ time: 1, value: 4 }])
    })
  )

  it.effect("knows the latest reading, which is not the last one that came", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      assert.deepStrictEqual(yield* store.latest(series), Option.none())
      yield* store.appendAll([
        reading(-5, 1),
        reading(9, 2),
        reading(3, 3),
        { ...reading(99, 4), station: "z" }
      ])
      assert.deepStrictEqual(
        Option.map(yield* store.latest(series), Object.entries),
        Option.some(Object.entries({ time: 9, value: 2 }))
      )
      assert.deepStrictEqual(yield* store.latest({ ...series, metric: "none" }), Option.none())
    })
  )

  it.effect("takes any name and number for what they are", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const names = ["__proto__", "constructor", "a'b", '"; DROP TABLE reading; --', "ü"]
      const values = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 0.1, 2 ** 53 + 2]
      for (const [index, station] of names.entries()) {
        yield* store.append({ station, metric: station, time: index, value: values[index]! })
      }
      for (const [index, station] of names.entries()) {
        assert.deepStrictEqual(plain(yield* store.readings({ station, metric: station })), [
          { time: index, value: values[index]! }
        ])
      }
    })
  )

  it.effect("returns ranges: from inclusive, to exclusive, the earliest up to the limit", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const times = Array.from({ length: 5_500 }, (_, index) => index - 2_000)
      yield* store.appendAll(times.toReversed().map((time) => reading(time, time / 2)))
      const found = (query: { from?: number; to?: number; limit?: number }) =>
        Effect.map(store.readings({ ...series, ...query }), (points) => points.map((point) => point.time))
      assert.deepStrictEqual(yield* found({ from: -3, to: 2 }), [-3, -2, -1, 0, 1])
      assert.deepStrictEqual(yield* found({ from: 7, to: 7 }), [])
      assert.deepStrictEqual(yield* found({ from: 9_000 }), [])
      assert.deepStrictEqual(yield* found({}), times.slice(0, 1_000))
      assert.deepStrictEqual(yield* found({ from: 3_498, limit: 100_000 }), [3_498, 3_499])
      // Sizes around those of a page.
      for (const limit of [1, 1_999, 2_000, 2_001, 4_000, 5_500, 100_000]) {
        assert.deepStrictEqual(yield* found({ limit }), times.slice(0, limit))
      }
      assert.deepStrictEqual(yield* found({ to: 0, limit: 5_000 }), times.slice(0, 2_000))
      assert.strictEqual((yield* found({ limit: 0 })).length, 1)
      assert.deepStrictEqual(yield* store.readings({ station: "none", metric: "b" }), [])
    })
  )

  describe("aggregate", () => {
    it.effect("counts and averages by day, on both sides of 1970", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.appendAll([
          reading(-day, 1),
          reading(-1, 2),
          reading(0, 4),
          reading(day - 1, 8),
          reading(3 * day, 16)
        ])
        const by = (fn: AggregateFunction, query = {}) =>
          Effect.map(store.aggregate({ ...series, bucket: day, fn, ...query }), plain)
        assert.deepStrictEqual(yield* by("avg"), [
          { time: -day, value: 1.5 },
          { time: 0, value: 6 },
          { time: 3 * day, value: 16 }
        ])
        assert.deepStrictEqual(
          (yield* by("count")).map((point) => point.value),
          [2, 2, 1]
        )
        assert.deepStrictEqual(
          (yield* by("min")).map((point) => point.value),
          [1, 4, 16]
        )
        assert.deepStrictEqual(
          (yield* by("max")).map((point) => point.value),
          [2, 8, 16]
        )
        // The bucket's beginning, though the readings before `from` do not count.
        assert.deepStrictEqual(yield* by("min", { from: 1, to: 3 * day }), [{ time: 0, value: 8 }])
        assert.deepStrictEqual(yield* by("count", { limit: 2 }), [
          { time: -day, value: 2 },
          { time: 0, value: 2 }
        ])
        assert.deepStrictEqual(yield* by("count", { station: "none" }), [])
      })
    )

    it.effect("begins weeks on Monday", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        // A Sunday and the Monday after it.
        yield* store.appendAll([
          reading(Date.UTC(2024, 0, 7, 23), 1),
          reading(Date.UTC(2024, 0, 8), 2),
          reading(Date.UTC(1969, 11, 28), 3)
        ])
        const points = yield* store.aggregate({ ...series, bucket: 7 * day, fn: "count" })
        assert.deepStrictEqual(plain(points), [
          { time: Date.UTC(1969, 11, 22), value: 1 },
          { time: Date.UTC(2024, 0, 1), value: 1 },
          { time: Date.UTC(2024, 0, 8), value: 1 }
        ])
      })
    )

    it.effect("puts buckets together that a long query takes in several steps", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const count = 45_000
        yield* store.appendAll(Array.from({ length: count }, (_, time) => reading(time, time)))
        const by = (fn: AggregateFunction, bucket: number, limit?: number) =>
          Effect.map(store.aggregate({ ...series, bucket, fn, limit }), plain)
        const whole = { time: 0, value: count }
        assert.deepStrictEqual(yield* by("count", day), [whole])
        assert.deepStrictEqual(yield* by("avg", day), [{ time: 0, value: (count - 1) / 2 }])
        assert.deepStrictEqual(yield* by("max", day), [{ time: 0, value: count - 1 }])
        assert.deepStrictEqual(yield* by("min", day), [{ time: 0, value: 0 }])
        assert.deepStrictEqual(yield* by("count", 15_000), [
          { time: 0, value: 15_000 },
          { time: 15_000, value: 15_000 },
          { time: 30_000, value: 15_000 }
        ])
        // The second bucket ends in the second step.
        assert.deepStrictEqual(yield* by("count", 15_000, 2), [
          { time: 0, value: 15_000 },
          { time: 15_000, value: 15_000 }
        ])
      })
    )

    const points = Arbitrary.array(
      Arbitrary.schema(
        Schema.Struct({
          time: Schema.Int.check(Schema.isBetween({ minimum: -200, maximum: 200 })),
          value: Schema.Int.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 }))
        })
      ),
      { maxLength: 60 }
    )
    const width = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 150 }))
    it.effect.prop(
      "is what a loop over the readings finds",
      { points, width },
      ({ points, width }) =>
        Effect.gen(function* () {
          const store = yield* fresh
          yield* store.appendAll(points.map((point) => ({ ...series, ...point })))
          const values = new Map(points.map(({ time, value }) => [time, value]))
          const buckets = new Map<number, Array<number>>()
          for (const [time, value] of [...values].toSorted(([left], [right]) => left - right)) {
            const bucket = Math.floor(time / width) * width
            buckets.set(bucket, [...(buckets.get(bucket) ?? []), value])
          }
          const folds: Record<AggregateFunction, (values: Array<number>) => number> = {
            avg: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
            min: (values) => Math.min(...values),
            max: (values) => Math.max(...values),
            count: (values) => values.length
          }
          for (const [fn, fold] of Object.entries(folds) as Array<[AggregateFunction, typeof folds.avg]>) {
            assert.deepStrictEqual(
              plain(yield* store.aggregate({ ...series, bucket: width, fn })),
              // `+ 0`: SQL has no -0.
              [...buckets].map(([time, values]) => ({ time: time + 0, value: fold(values) + 0 }))
            )
          }
        }).pipe(Effect.scoped),
      { arbitrary: { runs: 25 } }
    )
  })

  describe("when a commit fails", () => {
    it.effect("fails its appends, stores nothing of them, and goes on", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const store = yield* opened(directory)
        yield* store.append(reading(0, 0))
        const other = yield* neighbour(directory)
        other.exec(`CREATE TRIGGER refuse BEFORE INSERT ON reading WHEN new.value = 666
                    BEGIN SELECT RAISE(ABORT, 'refused'); END`)
        // The batch makes a new series, which goes with it.
        const newSeries = { station: "new", metric: "new" }
        const exits = yield* Effect.all(
          [reading(1, 1), { ...newSeries, time: 1, value: 1 }, reading(2, 666), reading(3, 3)].map(
            (reading) => Effect.exit(store.append(reading))
          ),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(exits.map(Exit.isFailure), [true, true, true, true])
        const error = yield* Effect.flip(store.append(reading(2, 666)))
        assert.strictEqual(tag(error), "append Unknown")
        assert.match(error.message, /^cannot append: [ -~]+$/)

        yield* store.append({ ...newSeries, time: 2, value: 2 })
        assert.deepStrictEqual(plain(yield* store.readings(newSeries)), [{ time: 2, value: 2 }])
        assert.deepStrictEqual(plain(yield* store.readings(series)), [{ time: 0, value: 0 }])
      })
    )

    it.effect("says that another program holds the lock", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const store = yield* opened(directory)
        const other = yield* neighbour(directory)
        other.exec("BEGIN IMMEDIATE")
        assert.strictEqual(tag(yield* Effect.flip(store.append(reading(1, 1)))), "append Busy")
        // Readers are not locked out.
        assert.deepStrictEqual(yield* store.readings(series), [])
        other.exec("ROLLBACK")
        yield* store.append(reading(1, 2))
        assert.deepStrictEqual(plain(yield* store.readings(series)), [{ time: 1, value: 2 }])
      })
    )
  })

  describe("closing", () => {
    it.effect("commits what was appended, and refuses what comes later", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const scope = yield* Scope.make()
        const store = yield* Scope.provide(opened(directory), scope)
        const fibers = yield* Effect.forEach([1, 2, 3], (time) =>
          Effect.forkChild(store.append(reading(time, time)), { startImmediately: true })
        )
        // Not one turn of the event loop has gone by.
        assert.deepStrictEqual(yield* store.readings(series), [])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* Fiber.awaitAll(fibers), [Exit.void, Exit.void, Exit.void])
        assert.strictEqual(tag(yield* Effect.flip(store.append(reading(4, 4)))), "append Closed")
        assert.strictEqual(tag(yield* Effect.flip(store.latest(series))), "latest Closed")

        const again = yield* opened(directory)
        assert.strictEqual((yield* again.readings(series)).length, 3)
      })
    )
  })

  describe("opening", () => {
    const refused = (directory: string) => Effect.map(Effect.flip(Effect.scoped(opened(directory))), tag)

    it.effect("fails where the directory is a file", () =>
      Effect.gen(function* () {
        const path = join(yield* temporaryDirectory, "file")
        writeFileSync(path, "")
        assert.strictEqual(yield* refused(path), "open CannotOpen")
        assert.strictEqual(yield* refused(join(path, "below")), "open CannotOpen")
      })
    )

    it.effect("fails on a file that is no database, and leaves it as it is", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        writeFileSync(join(directory, "telemetry.db"), "dear diary, ".repeat(1_000))
        assert.strictEqual(yield* refused(directory), "open Corrupt")
      })
    )

    it.effect("fails on a schema of another version", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        ;(yield* neighbour(directory)).exec("PRAGMA user_version = 2")
        const error = yield* Effect.flip(Effect.scoped(opened(directory)))
        assert.strictEqual(tag(error), "open UnknownVersion")
        assert.strictEqual(
          error.message,
          "cannot open: the file has version 2 of the schema, this program knows 1"
        )
      })
    )
  })

  describe("kill -9", () => {
    /** Runs the appender until it has acknowledged `count` readings, kills it, and returns what it acknowledged. */
    const acknowledged = (directory: string, first: number, count: number) =>
      Effect.callback<ReadonlyArray<string>>((resume) => {
        const child = spawn(
          process.execPath,
          [join(import.meta.dirname, "fixtures", "appendForever.ts"), directory, String(first)],
          { stdio: ["ignore", "pipe", "inherit"] }
        )
        let output = ""
        let lines = 0
        child.stdout.setEncoding("utf8")
        child.stdout.on("data", (text: string) => {
          output += text
          lines += text.split("\n").length - 1
          if (lines >= count) child.kill("SIGKILL")
        })
        child.on("close", (_code, signal) => {
          if (signal !== "SIGKILL") resume(Effect.die(new Error(`the appender ended by itself: ${output}`)))
          // What follows the last line end may be half a line.
          else resume(Effect.succeed(output.split("\n").slice(0, -1)))
        })
        return Effect.sync(() => child.kill("SIGKILL"))
      })

    it.live("loses nothing that was acknowledged", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const expected = new Map<string, Set<number>>()
        for (const round of [1, 2, 3]) {
          const count = yield* Random.nextIntBetween(1, 2_000)
          const lines = yield* acknowledged(directory, round * 1_000_000, count)
          assert.isAtLeast(lines.length, count)
          for (const line of lines) {
            const [station = "", value] = line.split(" ")
            expected.set(station, (expected.get(station) ?? new Set()).add(Number(value)))
          }
          yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* opened(directory)
              for (const [station, values] of expected) {
                const points = yield* store.readings({ station, metric: "count", limit: 100_000 })
                const stored = new Map(points.map(({ time, value }) => [time, value]))
                const lost = [...values].filter((value) => stored.get(value) !== value)
                assert.deepStrictEqual(lost, [], `of ${station} in round ${round}`)
              }
            })
          )
        }
        assert.isAtLeast(expected.size, 1)
      })
    )
  })
})
