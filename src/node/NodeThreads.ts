/** `Threads` on `node:worker_threads`. */
import * as os from "node:os"
import type { WorkerOptions } from "node:worker_threads"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type PoolSize, Threads } from "../reactor/Threads.ts"
import { NodeThreadsCalls } from "./NodeThreadsCalls.ts"
import { NodeThreadsPool } from "./NodeThreadsPool.ts"

/** Any service's key. */
export type Service = Context.Key<unknown, unknown>

export interface Options<S extends Service = never> {
  /** Threads kept though there is nothing to do. Default 0, as Twisted's reactor. */
  readonly min?: number | undefined
  /** Default: as many as the machine runs at once; Twisted: 10. */
  readonly max?: number | undefined
  /** After how long without a job a thread ends, above `min`. Default 30 seconds; Twisted keeps them. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Jobs that may wait for a thread. Default 1,024; Twisted has no limit. */
  readonly queueMax?: number | undefined
  /** What happens to a job more: it waits until there is a place, or fails as `QueueFull`. Default: it waits. */
  readonly whenFull?: "wait" | "fail" | undefined
  /** How long a cancelled job has to end by itself, before its thread is terminated. Default 1 second. */
  readonly cancelGrace?: Duration.Input | undefined
  /** Pause after the second of several crashes without a job that came to its end between; doubles. Default 100 ms. */
  readonly restartDelay?: Duration.Input | undefined
  /** Default 10 seconds. */
  readonly restartDelayMax?: Duration.Input | undefined
  /** Services that jobs may ask: all their methods. Default: none. */
  readonly expose?: ReadonlyArray<S> | undefined
  /** For tools and debuggers; the threads are numbered. Default "spindle-thread". */
  readonly name?: string | undefined
  /** Options of Node's own. Default: what the process has itself (`execArgv`, a copy of `env`), no limits. */
  readonly worker?:
    | Pick<WorkerOptions, "argv" | "env" | "execArgv" | "resourceLimits" | "stderr" | "stdout">
    | undefined
}

const checked = ({ max, min }: PoolSize): PoolSize => {
  if (!Number.isSafeInteger(min) || min < 0 || !Number.isSafeInteger(max) || max < 1 || min > max) {
    throw new RangeError(`a pool of ${min} to ${max} threads: 0 <= min <= max, and 1 <= max`)
  }
  return { min, max }
}

/**
 * A pool of threads, until the scope ends: then what waits fails as `Stopped`, what runs is cancelled, and all threads are gone.
 * A size that cannot be is a defect.
 */
export const make = Effect.fnUntraced(function* <S extends Service = never>(
  options: Options<S> = {}
): Effect.fn.Return<Threads["Service"], never, S["Identifier"] | Scope.Scope> {
  const max = options.max ?? Math.max(os.availableParallelism(), options.min ?? 0)
  const size = checked({ min: options.min ?? 0, max })
  const context = yield* Effect.context<S["Identifier"] | Scope.Scope>()
  const exposed = (options.expose ?? []).map(
    (key) => [key.key, Context.getUnsafe(context as Context.Context<unknown>, key)] as const
  )
  const calls = new NodeThreadsCalls(new Map(exposed), context as Context.Context<never>)
  // The first to be acquired: what the pool waits for when it stops still runs then.
  const fork = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const { queueMax = 1_024, whenFull = "wait" } = options
  const pool = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new NodeThreadsPool(
          {
            size,
            queueMax,
            whenFull,
            idleTimeout: Duration.fromInputUnsafe(options.idleTimeout ?? "30 seconds"),
            cancelGrace: Duration.fromInputUnsafe(options.cancelGrace ?? "1 second"),
            restartDelay: Duration.fromInputUnsafe(options.restartDelay ?? "100 millis"),
            restartDelayMax: Duration.fromInputUnsafe(options.restartDelayMax ?? "10 seconds"),
            name: options.name ?? "spindle-thread",
            worker: options.worker ?? {}
          },
          calls,
          clock,
          fork
        )
    ),
    (pool) => pool.stop()
  )
  return Threads.of({
    run: (request) => pool.run(request),
    resize: (size) => Effect.sync(() => pool.resize(checked(size))),
    stats: Effect.sync(() => pool.stats)
  })
})

/** `make` as a service. It requires the services that it exposes. */
export const layer = <S extends Service = never>(
  options?: Options<S>
): Layer.Layer<Threads, never, Exclude<S["Identifier"], Scope.Scope>> => Layer.effect(Threads, make(options))
