/** C12: nothing is left of connections that come and go, and no clock but the steady one counts. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connected, heard, live, type Memory, MiB, over, socketTo, target, unharmed } from "./attack.ts"
import { timedMillis } from "./services.ts"

const overTcp = 10_000
const inMemory = 90_000

const heapGrowth = (before: Memory, after: Memory) =>
  after.heapUsed + after.external - before.heapUsed - before.external

describe("C12: connections come and go", () => {
  live(
    `${overTcp} over TCP, under Idle`,
    Effect.gen(function* () {
      const attacked = yield* target(["idle"])
      const port = attacked.port("idle")
      const cycle = Effect.callback<void>((resume) => {
        const socket = socketTo(port)
        socket.once("data", () => socket.end())
        socket.once("close", () => resume(Effect.void))
        socket.once("end", () => socket.destroy())
        socket.write("x")
      })
      const cycles = (times: number) =>
        Effect.forEach(Array.from({ length: times }), () => cycle, { concurrency: 50, discard: true })
      yield* cycles(overTcp / 10)
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* cycles(overTcp)
      yield* attacked.quiet
      const after = yield* attacked.measure
      unharmed(before, after)
      assert.deepStrictEqual(after.resources.toSorted(), before.resources.toSorted())
      assert.isBelow(heapGrowth(before, after), MiB)
    })
  )

  live(
    `${inMemory} in memory, under Idle`,
    Effect.gen(function* () {
      const attacked = yield* target([])
      yield* attacked.ask("memoryCycles 10000")
      const before = yield* attacked.measure
      assert.strictEqual(yield* attacked.ask<number>(`memoryCycles ${inMemory}`), inMemory)
      const after = yield* attacked.measure
      unharmed(before, after)
      assert.deepStrictEqual(after.resources.toSorted(), before.resources.toSorted())
      assert.isBelow(heapGrowth(before, after), MiB)
    })
  )
})

/** Idle and Timeout end connections when they would have, whatever the wall clock says meanwhile. */
const jump = Effect.fnUntraced(function* (millis: number) {
  const attacked = yield* target(["idle", "timed"])
  yield* attacked.measure
  const from = performance.now()
  const silent = yield* connected(attacked.port("timed"))
  const idle = yield* connected(attacked.port("idle"))
  const busy = yield* connected(attacked.port("idle"))
  yield* Effect.sleep(timedMillis / 3)
  yield* attacked.ask(`wallClock ${millis}`)
  // It is not taken for an hour of silence, nor is the rest put off for one.
  const keepBusy = Effect.gen(function* () {
    for (let i = 0; i < 8; i++) {
      busy.write("x")
      assert.strictEqual(yield* heard(busy), "x")
      yield* Effect.sleep(timedMillis / 4)
    }
  })
  const ends = Effect.forEach(
    [silent, idle],
    (socket) => Effect.map(over(socket), () => performance.now() - from),
    { concurrency: "unbounded" }
  )
  const [took] = yield* Effect.all([ends, keepBusy], { concurrency: "unbounded" })
  for (const each of took) {
    assert.isAtLeast(each, timedMillis * 0.9)
    assert.isBelow(each, timedMillis * 1.0625 + 2_500)
  }
  busy.destroy()
  yield* attacked.quiet
})

describe("C12: the wall clock jumps", () => {
  live(
    "an hour ahead, and an hour back: Idle and Timeout end connections when they would have",
    Effect.forEach([3_600_000, -3_600_000], jump, { concurrency: "unbounded", discard: true })
  )
})
