import { threadId } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { JobRequest } from "../../src/reactor/Threads.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import { reasonOf, sums, withPool } from "./threads/pool.ts"

const request = (request: Partial<JobRequest>) =>
  Effect.flatMap(Threads.Threads, (threads) =>
    threads.run({ module: sums.specifier, name: "add", args: [], ...request })
  )

describe("deferToThread", () => {
  it.live("gives what a function, a promise and an effect give, from another thread", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Threads.deferToThread(sums, "add", [1, 2]), 3)
      assert.strictEqual(yield* Threads.deferToThread(sums, "later", ["text"]), "text")
      assert.strictEqual(yield* Threads.deferToThread(sums, "effect", [21]), 42)
      const where = yield* Threads.deferToThread(sums, "where", [])
      assert.isFalse(where.isMainThread)
      assert.notStrictEqual(where.threadId, threadId)
    }).pipe(withPool())
  )

  it.live("many jobs come back to whoever began them", () =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 300 }, (_, at) => at)
      const doubled = yield* Effect.forEach(numbers, (n) => Threads.deferToThread(sums, "add", [n, n]), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        doubled,
        numbers.map((n) => 2 * n)
      )
    }).pipe(withPool({ max: 2, queueMax: 10 }))
  )

  describe("failures of the function", () => {
    it.live("what it throws has its name, message, tag and fields", () =>
      Effect.gen(function* () {
        for (const name of ["throws", "fails"] as const) {
          const error = yield* Effect.flip(Effect.asVoid(Threads.deferToThread(sums, name, [3])))
          assert.strictEqual(error.reason._tag, "Threw")
          assert.strictEqual(error.job, `${sums.specifier}#${name}`)
          assert.match(error.message, /sums\.ts#\w+ in a thread: 3 is odd$/)
          const cause = error.cause as Error & { readonly _tag: string; readonly number: number }
          assert.instanceOf(cause, Error)
          assert.deepStrictEqual([cause._tag, cause.number, cause.message], ["Odd", 3, "3 is odd"])
          assert.match(cause.stack ?? "", /sums\.ts/)
        }
      }).pipe(withPool())
    )

    it.live("rejections, defects and what is no error arrive as well", () =>
      Effect.gen(function* () {
        const rejected = yield* reasonOf(Threads.deferToThread(sums, "rejects", []))
        const error = rejected.cause as Error
        assert.deepStrictEqual(
          [error.name, error.message, error.cause],
          ["TypeError", "no", { why: "because" }]
        )
        const died = yield* reasonOf(Threads.deferToThread(sums, "dies", []))
        assert.deepStrictEqual([died._tag, died.message], ["Threw", "dead"])
        const text = yield* reasonOf(Threads.deferToThread(sums, "throwsText", []))
        assert.deepStrictEqual([text._tag, text.cause], ["Threw", "a text"])
        // The same thread goes on.
        assert.strictEqual(yield* Threads.deferToThread(sums, "add", [1, 1]), 2)
      }).pipe(withPool({ max: 1 }))
    )
  })

  describe("modules and exports", () => {
    it.live("those that are not there are NotFound", () =>
      Effect.gen(function* () {
        const nowhere = new URL("./nowhere.ts", sums.specifier).href
        for (const module of [nowhere, "node:nothing", "./relative.ts", "no-such-package-anywhere"]) {
          const reason = yield* reasonOf(request({ module }))
          assert.strictEqual(reason._tag === "NotFound" && reason.what, "module", `${module}: ${reason}`)
        }
        for (const name of ["nothing", "notAFunction", "constructor", "__proto__", "toString"]) {
          const reason = yield* reasonOf(request({ name }))
          assert.strictEqual(reason._tag === "NotFound" && reason.what, "export", `${name}: ${reason}`)
        }
      }).pipe(withPool({ max: 1 }))
    )
  })

  describe("copies and moves", () => {
    it.live("arguments are copied, unless they are to be moved", () =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(1_000)
        assert.strictEqual(yield* Threads.deferToThread(sums, "size", [bytes]), 1_000)
        assert.strictEqual(bytes.byteLength, 1_000)
        const transfer = [bytes.buffer]
        assert.strictEqual(yield* Threads.deferToThread(sums, "size", [bytes], { transfer }), 1_000)
        assert.strictEqual(bytes.byteLength, 0)
      }).pipe(withPool())
    )

    it.live("a result comes back moved", () =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(16)
        const stamped = yield* Threads.deferToThread(sums, "stamped", [bytes], { transfer: [bytes.buffer] })
        assert.deepStrictEqual([stamped.byteLength, stamped[0]], [16, 7])
      }).pipe(withPool())
    )

    it.live("what cannot be copied or moved is refused, and the thread goes on", () =>
      Effect.gen(function* () {
        const tag = (effect: ReturnType<typeof request>) =>
          Effect.map(reasonOf(effect), (reason) => reason._tag)
        const moved = new ArrayBuffer(1)
        structuredClone(moved, { transfer: [moved] })
        const twice = new ArrayBuffer(1)
        assert.strictEqual(yield* tag(request({ args: [() => 1] })), "NotSerializable")
        assert.strictEqual(yield* tag(request({ args: [1], transfer: [{}] })), "NotTransferable")
        assert.strictEqual(yield* tag(request({ args: [moved], transfer: [moved] })), "NotTransferable")
        assert.strictEqual(
          yield* tag(request({ args: [twice], transfer: [twice, twice] })),
          "NotTransferable"
        )
        assert.strictEqual(yield* tag(request({ name: "givesFunction" })), "NotSerializable")
        assert.strictEqual(yield* tag(request({ name: "transfersNonsense" })), "NotTransferable")
        const { crashed, threads } = yield* Effect.flatMap(Threads.Threads, (pool) => pool.stats)
        assert.deepStrictEqual([threads, crashed], [1, 0])
        assert.strictEqual(yield* Threads.deferToThread(sums, "add", [1, 1]), 2)
      }).pipe(withPool({ max: 1 }))
    )
  })
})

describe("startInThread", () => {
  it.live("gives reports in their order while the job goes on, and its result", () =>
    Effect.gen(function* () {
      const job = yield* Threads.startInThread(sums, "counts", [200])
      const reports = yield* Stream.runCollect(job.progress)
      assert.deepStrictEqual(
        [...reports],
        Array.from({ length: 200 }, (_, at) => at + 1)
      )
      assert.strictEqual(yield* job.result, "counted")
      assert.strictEqual(yield* job.result, "counted")
    }).pipe(withPool())
  )

  it.live("keeps the newest reports for a slow reader, and no more than it was told", () =>
    Effect.gen(function* () {
      const job = yield* Threads.startInThread(sums, "counts", [5_000], { progressMax: 3 })
      yield* job.result
      assert.deepStrictEqual([...(yield* Stream.runCollect(job.progress))], [4_998, 4_999, 5_000])
    }).pipe(withPool())
  )

  it.live("a failure is told by the result; the reports end", () =>
    Effect.gen(function* () {
      const job = yield* Threads.startInThread(sums, "throws", [1])
      assert.deepStrictEqual([...(yield* Stream.runCollect(job.progress))], [])
      assert.strictEqual((yield* reasonOf(job.result))._tag, "Threw")
    }).pipe(withPool())
  )

  it.live("nobody needs to look at the result", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Threads.startInThread(sums, "throws", [1]))
      const fiber = yield* Effect.forkChild(Threads.deferToThread(sums, "add", [1, 1]))
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }).pipe(withPool({ max: 1 }))
  )
})
