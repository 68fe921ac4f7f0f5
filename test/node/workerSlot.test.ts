/** One of several workers, as it is kept: what ends is started again, later and later. Virtual time, and workers that are none. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Events, HeirLine } from "../../src/node/NodeHeirLine.ts"
import type { ToHeir } from "../../src/node/NodeHeirMessage.ts"
import { NodeWorkerIntensity } from "../../src/node/NodeWorkerIntensity.ts"
import { NodeWorkerSlot, type Options } from "../../src/node/NodeWorkerSlot.ts"

/** A worker, as the test plays it. */
class Played {
  readonly heard: Array<ToHeir> = []
  readonly events: Events
  isKilled = false
  isDeaf = false

  constructor(events: Events) {
    this.events = events
  }

  get line(): HeirLine {
    return {
      pid: 1,
      thread: undefined,
      post: (message) => {
        if (this.isDeaf) return
        this.heard.push(message)
        // As soon as it is told, it has.
        if (message._tag === "spindle/Begin") this.events.message({ _tag: "spindle/Began" })
        if (message._tag === "spindle/Drain") this.ended(0)
      },
      move: () => {},
      signal: () => {},
      kill: () => {
        this.isKilled = true
        this.ended(137)
      },
      release: () => {}
    }
  }

  ready(): void {
    this.events.message({ _tag: "spindle/Ready" })
  }

  ended(code: number): void {
    this.events.ended({ code, signal: undefined, error: undefined })
  }

  get has(): ReadonlyArray<string> {
    return this.heard.map(({ _tag }) => _tag)
  }
}

const makeSlot = (options: Partial<Options> = {}) => {
  const all: Array<Played> = []
  const slot = new NodeWorkerSlot(0, {
    start: (events) => {
      const played = new Played(events)
      all.push(played)
      return played.line
    },
    answer: () => Effect.succeed({ _tag: "None" }),
    onFeed: () => {},
    onBegun: () => {},
    onLeaving: () => {},
    mayBegin: Effect.void,
    hasBegun: () => true,
    onCrash: () => Effect.void,
    readyTimeout: "90 seconds",
    drainTimeout: "30 seconds",
    settleMillis: 0,
    backoffFirstMillis: 100,
    backoffMaxMillis: 1_000,
    backoffResetAfterMillis: 10_000,
    ...options
  })
  return { slot, all }
}

const immediately = { startImmediately: true } as const

/** One that serves, and is watched. */
const serving = Effect.fnUntraced(function* (options?: Partial<Options>) {
  const made = makeSlot(options)
  const start = yield* Effect.forkChild(made.slot.start, immediately)
  made.all[0]!.ready()
  yield* Fiber.join(start)
  yield* Effect.forkScoped(made.slot.supervise, immediately)
  yield* made.slot.serves
  return made
})

describe("a worker's place", () => {
  it.effect("what ends is started again, each time after twice as long, up to a most", () =>
    Effect.gen(function* () {
      const { all, slot } = yield* serving()
      for (const [i, millis] of [100, 200, 400, 800, 1_000, 1_000].entries()) {
        all[i]!.ended(1)
        yield* TestClock.adjust(millis - 1)
        assert.strictEqual(all.length, i + 1, `after ${millis}`)
        assert.strictEqual(slot.status.state, "Waiting")
        yield* TestClock.adjust(1)
        assert.strictEqual(all.length, i + 2)
        assert.strictEqual(slot.status.state, "Starting")
        // Every other one does not even get ready.
        if (i % 2 === 0) {
          all[i + 1]!.ready()
          yield* TestClock.adjust(0)
          assert.strictEqual(slot.status.state, "Ready")
        }
      }
      assert.match(slot.status.failure!, /ended with code 1/)
      all.at(-1)!.ready()
      yield* TestClock.adjust("10 seconds")
      // It has served for long enough: the first delay again.
      all.at(-1)!.ended(1)
      const count = all.length
      yield* TestClock.adjust(100)
      assert.strictEqual(all.length, count + 1)
    }).pipe(Effect.scoped)
  )

  it.effect("one that does not get ready in time is ended, and the next one is started", () =>
    Effect.gen(function* () {
      const { all, slot } = yield* serving()
      all[0]!.ended(1)
      yield* TestClock.adjust(100)
      yield* TestClock.adjust("90 seconds")
      assert.isTrue(all[1]!.isKilled)
      yield* TestClock.adjust(200)
      all[2]!.ready()
      yield* TestClock.adjust(0)
      assert.strictEqual(slot.status.state, "Ready")
      assert.match(slot.status.failure!, /not ready within 1m 30s/)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "one that says why it cannot start is not started again by a replacement: the old one stays",
    () =>
      Effect.gen(function* () {
        const { all, slot } = yield* serving()
        const replacing = yield* Effect.forkChild(Effect.flip(slot.replace), immediately)
        all[1]!.events.message({ _tag: "spindle/Failed", detail: "no luck" })
        assert.strictEqual(yield* Fiber.join(replacing), "no luck")
        assert.isTrue(all[1]!.isKilled)
        assert.isFalse(all[0]!.isKilled)
        assert.strictEqual(slot.status.state, "Ready")
      }).pipe(Effect.scoped)
  )

  it.effect("a reload waits for the one that is about to take the place, and asks that one", () =>
    Effect.gen(function* () {
      const { all, slot } = yield* serving()
      const replacing = yield* Effect.forkChild(slot.replace, immediately)
      const reloading = yield* Effect.forkChild(slot.reload, immediately)
      assert.notInclude(all[0]!.has, "spindle/Reload")
      all[1]!.ready()
      yield* Fiber.join(replacing)
      yield* TestClock.adjust(0)
      assert.include(all[1]!.has, "spindle/Reload")
      assert.notInclude(all[0]!.has, "spindle/Reload")
      all[1]!.events.message({ _tag: "spindle/Reloaded", id: 0, detail: "no such file" })
      assert.strictEqual(yield* Fiber.join(reloading), "no such file")
      // One that ends meanwhile says so.
      const another = yield* Effect.forkChild(slot.reload, immediately)
      yield* TestClock.adjust(0)
      all[1]!.ended(1)
      assert.strictEqual(yield* Fiber.join(another), "it has ended")
    }).pipe(Effect.scoped)
  )

  it.effect("one that cannot be spoken to any more may drain, then it is ended and replaced", () =>
    Effect.gen(function* () {
      const { all, slot } = yield* serving()
      all[0]!.isDeaf = true
      all[0]!.events.lost()
      yield* TestClock.adjust("29 seconds")
      assert.isFalse(all[0]!.isKilled)
      yield* TestClock.adjust("1 second")
      assert.isTrue(all[0]!.isKilled)
      yield* TestClock.adjust(100)
      assert.strictEqual(all.length, 2)
      all[1]!.ready()
      yield* TestClock.adjust(0)
      assert.strictEqual(slot.status.state, "Ready")
    }).pipe(Effect.scoped)
  )
})

describe("intensity", () => {
  it("counts what ended within the period", () => {
    const intensity = new NodeWorkerIntensity(2, 1_000)
    assert.deepStrictEqual(
      [0, 10, 1_005, 1_010, 1_011].map((now) => intensity.exceeds(now)),
      [false, false, false, false, true]
    )
    assert.strictEqual(intensity.limit, "2 times in 1s")
  })
})
