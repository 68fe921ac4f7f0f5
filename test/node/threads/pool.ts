/** What the tests of threads share. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as NodeThreads from "../../../src/node/NodeThreads.ts"
import type { ThreadError, ThreadReason } from "../../../src/reactor/ThreadError.ts"
import * as Threads from "../../../src/reactor/Threads.ts"
import type * as Broken from "./broken.ts"
import type * as Exiting from "./exiting.ts"
import type * as Library from "./library.ts"
import type * as Sums from "./sums.ts"
import type * as Trouble from "./trouble.ts"

const here = (file: string): URL => new URL(file, import.meta.url)

export const sums = Threads.module<typeof Sums>(here("./sums.ts"))
export const trouble = Threads.module<typeof Trouble>(here("./trouble.ts"))
export const broken = Threads.module<typeof Broken>(here("./broken.ts"))
export const exiting = Threads.module<typeof Exiting>(here("./exiting.ts"))
export const library = Threads.module<typeof Library>(here("./library.ts"))

/** Runs with a pool of its own; all its threads are gone afterwards, or the file fails. */
export const withPool =
  (options?: NodeThreads.Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Threads.Threads | Scope.Scope>> =>
    effect.pipe(
      Effect.provide(NodeThreads.layer(options)),
      Effect.scoped,
      Effect.provideService(References.MinimumLogLevel, "None")
    ) as Effect.Effect<A, E, Exclude<R, Threads.Threads | Scope.Scope>>

/** Why it failed. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, ThreadError, R>): Effect.Effect<ThreadReason, A, R> =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** Numbers that both sides see. */
export const sharedFlags = (): Int32Array => new Int32Array(new SharedArrayBuffer(8))

export const wake = (flags: Int32Array): void => {
  Atomics.store(flags, 0, 1)
  Atomics.notify(flags, 0)
}

/** A job of the module `trouble` that has begun: it reports its thread first of all. */
export const begun = Effect.fnUntraced(function* (
  name: "spins" | "spinsUntilCancelled" | "waitsForSignal" | "sleeps" | "gate",
  flags: Int32Array,
  options?: Threads.JobOptions
) {
  const reports = yield* Queue.unbounded<unknown>()
  const threads = yield* Threads.Threads
  const fiber = yield* Effect.forkScoped(
    threads.run({
      ...options,
      module: trouble.specifier,
      name,
      args: [flags],
      onProgress: (value) => Queue.offerUnsafe(reports, value)
    }),
    { startImmediately: true }
  )
  return { fiber, thread: yield* Queue.take(reports) }
})

/** Waits, looking again and again. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(condition, (holds) =>
    holds
      ? Effect.void
      : Effect.andThen(
          Effect.sleep(2),
          Effect.suspend(() => until(condition))
        )
  )

export const stats = Effect.flatMap(Threads.Threads, (threads) => threads.stats)
