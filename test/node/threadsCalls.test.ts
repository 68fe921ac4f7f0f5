/** Jobs that ask the main side. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as NodeThreads from "../../src/node/NodeThreads.ts"
import type { ThreadError } from "../../src/reactor/ThreadError.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import { Library, NoSuchBook } from "./threads/library.ts"
import { library, reasonOf, sharedFlags, until } from "./threads/pool.ts"

const titles = ["Zero", "One", "Two"]

/** Methods under way that never end, and those that were interrupted. */
const pending = { begun: 0, interrupted: 0 }

const Books = Layer.succeed(Library, {
  titleOf: (number) =>
    number in titles ? Effect.as(Effect.yieldNow, titles[number]!) : Effect.fail(new NoSuchBook({ number })),
  plain: (a, b) => a + b,
  promised: async (text) => `${text}!`,
  all: Effect.succeed(titles),
  never: () =>
    Effect.suspend(() => {
      pending.begun++
      return Effect.onInterrupt(Effect.never, () => Effect.sync(() => pending.interrupted++))
    }),
  lambda: () => Effect.succeed(() => 1),
  name: "library"
})

const withLibrary =
  (options?: Omit<NodeThreads.Options, "expose">) =>
  <A, E>(effect: Effect.Effect<A, E, Threads.Threads>): Effect.Effect<A, E> =>
    effect.pipe(
      Effect.provide(Layer.provide(NodeThreads.layer({ max: 1, ...options, expose: [Library] }), Books)),
      Effect.provideService(References.MinimumLogLevel, "None")
    )

/** Why the question failed: the job fails with the error of its question. */
const refusal = <A>(effect: Effect.Effect<A, ThreadError, Threads.Threads>) =>
  Effect.map(reasonOf(effect), (reason) => {
    assert.strictEqual(reason._tag, "Threw")
    const error = reason.cause as {
      readonly _tag: string
      readonly message: string
      readonly reason: { readonly _tag: string }
    }
    assert.strictEqual(error._tag, "ThreadError")
    return { tag: error.reason._tag, message: error.message }
  })

const run = (name: string, ...args: ReadonlyArray<unknown>) =>
  Effect.flatMap(Threads.Threads, (threads) => threads.run({ module: library.specifier, name, args }))

describe("callFromThread", () => {
  it.live("gives what the service's methods give, however they give it", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Threads.deferToThread(library, "title", [1]), "One")
      assert.deepStrictEqual(yield* Threads.deferToThread(library, "everything", []), {
        all: titles,
        plain: 3,
        promised: "p!"
      })
    }).pipe(withLibrary())
  )

  it.live("fails as the method fails", () =>
    Effect.gen(function* () {
      const { message, tag } = yield* refusal(Threads.deferToThread(library, "title", [9]))
      assert.strictEqual(tag, "CallFailed")
      assert.match(message, /^test\/node\/threads\/Library\.titleOf from a thread: /)
      assert.strictEqual(
        (yield* refusal(Threads.deferToThread(library, "lambda", []))).tag,
        "NotSerializable"
      )
    }).pipe(withLibrary())
  )

  it.live("only services that are exposed, and only what they have", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* refusal(Threads.deferToThread(library, "hidden", []))).tag, "NotExposed")
      for (const method of ["nothing", "name", "constructor", "__proto__", "toString", "hasOwnProperty"]) {
        const answer = (yield* run("raw", Library.key, method)) as { readonly _tag: string }
        assert.strictEqual(answer._tag, "NotExposed", method)
      }
    }).pipe(withLibrary())
  )

  it.live("a job that is over gets no answer", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Threads.deferToThread(library, "asksLate", []), 1)
      assert.strictEqual(yield* Threads.deferToThread(library, "title", [2]), "Two")
    }).pipe(withLibrary())
  )

  it.live("cancelling the job interrupts what it asked for", () =>
    Effect.gen(function* () {
      const before = { ...pending }
      const fiber = yield* Effect.forkChild(Threads.deferToThread(library, "waits", []), {
        startImmediately: true
      })
      yield* until(Effect.sync(() => pending.begun > before.begun))
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(pending.interrupted, before.interrupted + 1)
      assert.strictEqual(yield* Threads.deferToThread(library, "title", [0]), "Zero")
    }).pipe(withLibrary({ cancelGrace: "1 hour" }))
  )
})

describe("blockingCallFromThread", () => {
  it.live("gives the method's result, many times over", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Threads.deferToThread(library, "titleBlocking", [2]), "Two")
      assert.strictEqual(yield* Threads.deferToThread(library, "titlesBlocking", [200]), 600)
    }).pipe(withLibrary())
  )

  it.live("throws what the method failed with, tag and fields", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Threads.deferToThread(library, "titleOrTag", [9]), "CallFailed NoSuchBook 9")
      assert.strictEqual(yield* Threads.deferToThread(library, "titleOrTag", [1]), "One")
    }).pipe(withLibrary())
  )

  it.live("two threads that stand still do not hinder one another", () =>
    Effect.gen(function* () {
      const letters = yield* Effect.all(
        [
          Threads.deferToThread(library, "titlesBlocking", [100]),
          Threads.deferToThread(library, "titlesBlocking", [100])
        ],
        { concurrency: 2 }
      )
      assert.deepStrictEqual(letters, [300, 300])
    }).pipe(withLibrary({ max: 2 }))
  )

  it.live("is given up when the job is cancelled, and the thread stays", () =>
    Effect.gen(function* () {
      const before = { ...pending }
      const flags = sharedFlags()
      const fiber = yield* Effect.forkChild(Threads.deferToThread(library, "waitsBlocking", [flags]), {
        startImmediately: true
      })
      yield* until(Effect.sync(() => pending.begun > before.begun))
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.strictEqual(Atomics.load(flags, 0), 1)
      assert.strictEqual(pending.interrupted, before.interrupted + 1)
      const { crashed, threads } = yield* Effect.flatMap(Threads.Threads, (threads) => threads.stats)
      assert.deepStrictEqual([threads, crashed], [1, 0])
    }).pipe(withLibrary({ cancelGrace: "1 hour" }))
  )

  it.live("does not outlive the pool", () =>
    Effect.gen(function* () {
      const before = { ...pending }
      yield* Effect.forkDetach(
        Effect.ignore(Threads.deferToThread(library, "waitsBlocking", [sharedFlags()])),
        {
          startImmediately: true
        }
      )
      yield* until(Effect.sync(() => pending.begun > before.begun))
    }).pipe(withLibrary())
  )
})
