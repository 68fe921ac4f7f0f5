/** Jobs with schemas. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ThreadTask from "../../src/reactor/ThreadTask.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import { until, withPool } from "./threads/pool.ts"
import * as Tasks from "./threads/tasks.ts"

const placed = new Date(86_400_000)
const order = (number: number) => new Tasks.Order({ number, placed, note: Option.none() })

describe("ThreadTask", () => {
  it.live("classes, dates and options cross as what they are", () =>
    Effect.gen(function* () {
      const shipped = yield* ThreadTask.run(Tasks.Ship, order(5))
      assert.instanceOf(shipped, Tasks.Order)
      assert.deepStrictEqual(shipped.placed, placed)
      assert.deepStrictEqual(shipped.note, Option.some("shipped 5"))
      assert.strictEqual(yield* ThreadTask.run(Tasks.Void, undefined), undefined)
    }).pipe(withPool({ max: 1 }))
  )

  it.live("errors cross as instances of their classes", () =>
    Effect.gen(function* () {
      const large = yield* Effect.flip(ThreadTask.run(Tasks.Ship, order(500)))
      assert.isTrue(large instanceof Tasks.TooLarge && large.limit === 100)
      const since = yield* ThreadTask.run(Tasks.Ship, order(-1)).pipe(
        Effect.as(undefined),
        Effect.catchTag("TooOld", (error) => Effect.succeed(error.since))
      )
      assert.deepStrictEqual(since, placed)
    }).pipe(withPool({ max: 1 }))
  )

  it.live("reports cross by their schema", () =>
    Effect.gen(function* () {
      const job = yield* ThreadTask.start(Tasks.Ship, order(1))
      assert.deepStrictEqual([...(yield* Stream.runCollect(job.progress))], [placed])
      assert.strictEqual((yield* job.result).number, 1)
    }).pipe(withPool({ max: 1 }))
  )

  it.live("transferable bytes are moved, there and back", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array([0, 1, 255])
      const inverted = yield* ThreadTask.run(Tasks.Invert, bytes)
      assert.deepStrictEqual([...inverted], [255, 254, 0])
      assert.strictEqual(bytes.byteLength, 0)
    }).pipe(withPool({ max: 1 }))
  )

  it.live("what does not fit its schema is InvalidValue, on whichever side", () =>
    Effect.gen(function* () {
      const invalid = (effect: Effect.Effect<unknown, unknown, Threads.Threads>) =>
        Effect.map(Effect.flip(effect), (error) => {
          const { reason } = error as { readonly reason: { readonly _tag: string; readonly what?: string } }
          return [reason._tag, reason.what]
        })
      for (const what of ["success", "error", "progress"] as const) {
        assert.deepStrictEqual(yield* invalid(ThreadTask.run(Tasks.Wrong, what)), ["InvalidValue", what])
      }
      assert.deepStrictEqual(yield* invalid(ThreadTask.run(Tasks.Wrong, "no" as never)), [
        "InvalidValue",
        "payload"
      ])
      const unchecked = Effect.flatMap(Threads.Threads, (threads) =>
        threads.run({ module: Tasks.Ship.module, name: "ship", args: ["nonsense"] })
      )
      assert.deepInclude(yield* unchecked, { _tag: "Invalid", what: "payload" })
      assert.deepStrictEqual(yield* invalid(ThreadTask.run(Tasks.Wrong, "defect")), ["Threw", undefined])
      assert.deepStrictEqual(yield* invalid(ThreadTask.run(Tasks.Missing, undefined)), ["NotFound", "export"])
    }).pipe(withPool({ max: 1 }))
  )

  it.live("interrupting it interrupts its effect in the thread", () =>
    Effect.gen(function* () {
      const stats = Effect.flatMap(Threads.Threads, (threads) => threads.stats)
      const fiber = yield* Effect.forkChild(ThreadTask.run(Tasks.Forever, 1), { startImmediately: true })
      yield* until(Effect.map(stats, ({ running }) => running === 1))
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepInclude(yield* stats, { threads: 1, idle: 1, crashed: 0 })
    }).pipe(withPool({ max: 1, cancelGrace: "1 hour" }))
  )
})
