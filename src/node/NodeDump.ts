/** What the process is doing, as plain data: for the log, on SIGUSR2, and for `status`. */
import * as v8 from "node:v8"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

export interface NodeDump {
  readonly pid: number
  /** Of Node. */
  readonly version: string
  readonly uptimeSeconds: number
  /** How many of each kind hold the event loop: `TCPSocketWrap`, `Timeout`, `FSReqCallback`, ... */
  readonly resources: Readonly<Record<string, number>>
  readonly memoryBytes: {
    readonly rss: number
    readonly heapUsed: number
    readonly heapTotal: number
    readonly heapLimit: number
    readonly external: number
    readonly arrayBuffers: number
  }
  /** Processor time since the start, of all threads. */
  readonly cpuSeconds: { readonly user: number; readonly system: number }
  readonly loop: {
    /** How long a turn of the event loop took just now. */
    readonly delayMillis: number
    /** The share of its time that it was busy, from 0 to 1, since the start. */
    readonly utilization: number
  }
  /** `undefined` where nobody counts them: see `countFibers`. */
  readonly fibers: { readonly active: number; readonly started: number } | undefined
}

/** Looks. It takes one turn of the event loop, so one that hangs cannot be seen from within. */
export const take: Effect.Effect<NodeDump> = Effect.flatMap(
  Effect.suspend(() => loopDelay),
  (delayMillis) =>
    Effect.map(Metric.FiberRuntimeMetrics, (counting): NodeDump => {
      const { arrayBuffers, external, heapTotal, heapUsed, rss } = process.memoryUsage()
      const { system, user } = process.cpuUsage()
      return {
        pid: process.pid,
        version: process.versions.node,
        uptimeSeconds: rounded(process.uptime()),
        resources: countsOf(process.getActiveResourcesInfo()),
        memoryBytes: {
          rss,
          heapUsed,
          heapTotal,
          heapLimit: v8.getHeapStatistics().heap_size_limit,
          external,
          arrayBuffers
        },
        cpuSeconds: { user: rounded(user / 1e6), system: rounded(system / 1e6) },
        loop: {
          delayMillis: rounded(delayMillis),
          utilization: rounded(performance.eventLoopUtilization().utilization)
        },
        fibers:
          counting instanceof FiberCount ? { active: counting.active, started: counting.started } : undefined
      }
    })
)

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

const loopDelay: Effect.Effect<number> = Effect.callback((resume) => {
  const began = performance.now()
  let last: NodeJS.Immediate | undefined
  // Asked for in a callback of the same phase, the first one may come in this turn.
  const first = setImmediate(() => {
    last = setImmediate(() => resume(Effect.succeed(performance.now() - began)))
  })
  return Effect.sync(() => {
    clearImmediate(first)
    clearImmediate(last)
  })
})

const countsOf = (names: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** Two numbers: Effect's own service for this keeps five metrics. */
class FiberCount implements Metric.FiberRuntimeMetricsService {
  started = 0
  private ended = 0
  /** Whoever counted before goes on. */
  private readonly next: Metric.FiberRuntimeMetricsService | undefined

  constructor(next: Metric.FiberRuntimeMetricsService | undefined) {
    this.next = next
  }

  get active(): number {
    // The fiber that began to be counted in its middle ends, too.
    return Math.max(0, this.started - this.ended)
  }

  readonly recordFiberStart: Metric.FiberRuntimeMetricsService["recordFiberStart"] = (context) => {
    this.started++
    this.next?.recordFiberStart(context)
  }

  readonly recordFiberEnd: Metric.FiberRuntimeMetricsService["recordFiberEnd"] = (context, exit) => {
    this.ended++
    this.next?.recordFiberEnd(context, exit)
  }
}

/** Counts all fibers that are started in its context, for `take` there. */
export const countFibers: Layer.Layer<never> = Layer.effectContext(
  Effect.map(Metric.FiberRuntimeMetrics, (next) =>
    Context.make(Metric.FiberRuntimeMetrics, new FiberCount(next))
  )
)
