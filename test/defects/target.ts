/**
 * A process to be attacked and measured from outside: `node --expose-gc target.ts SERVICE...`. It says where each service
 * listens, then answers every line of input with one line of JSON.
 */
import * as fs from "node:fs"
import * as readline from "node:readline"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { inetOf } from "../support/endpoints.ts"
import { type Identities, progress, services } from "./services.ts"

const kept = 20

/** All that is told, louder than level Debug or not. */
class Ear {
  readonly reports: Array<string> = []
  readonly loud: Array<string> = []
  /** How often connections ended for which reason. */
  readonly reasons = new Map<string, number>()

  readonly logger = Logger.make(({ cause, fiber, logLevel, message }) => {
    const text = [message].flat().map(String).join(" ")
    if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") this.keep(this.loud, text)
    const { reason } = fiber.getRef(References.CurrentLogAnnotations)
    if (reason !== undefined) this.count(String(reason))
    for (const { error } of cause.reasons.filter(Cause.isFailReason)) this.count(tagOf(error))
    for (const each of [message].flat()) {
      if (!Cause.isCause(each)) continue
      for (const { error } of each.reasons.filter(Cause.isFailReason)) this.count(tagOf(error))
    }
  })

  readonly report = ({ cause, place }: UnhandledFailure.Report) =>
    Effect.sync(() => this.keep(this.reports, `${place}: ${Cause.pretty(cause)}`))

  private count(name: string): void {
    this.reasons.set(name, (this.reasons.get(name) ?? 0) + 1)
  }

  private keep(texts: Array<string>, text: string): void {
    if (texts.length < kept) texts.push(text)
  }
}

const tagOf = (error: unknown): string => {
  const { _tag, reason } = (error ?? {}) as { _tag?: string; reason?: { _tag?: string } }
  return reason?._tag ?? _tag ?? String(error)
}

class Fibers implements Metric.FiberRuntimeMetricsService {
  alive = 0
  recordFiberStart(): void {
    this.alive++
  }
  recordFiberEnd(): void {
    this.alive--
  }
}

const collect = (globalThis as { gc?: () => void }).gc ?? (() => {})
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** What it holds now, after what is garbage was collected. */
const measured = async (
  ear: Ear,
  fibers: Fibers,
  running: ReadonlyMap<string, { readonly server: Server.Server }>
) => {
  for (let i = 0; i < 3; i++) {
    collect()
    await turn()
  }
  const { external, heapUsed } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  return {
    heapUsed,
    external,
    cpu: (system + user) / 1_000,
    at: performance.now(),
    descriptors: fs.existsSync("/proc/self/fd") ? fs.readdirSync("/proc/self/fd").length : 0,
    resources: process
      .getActiveResourcesInfo()
      .filter((name) => name !== "Immediate" && name !== "TickObject"),
    fibers: fibers.alive,
    counts: Object.fromEntries(
      [...running].map(([name, { server }]) => [name, SubscriptionRef.getUnsafe(server.counts)])
    ),
    sentBytes: progress.sentBytes,
    reports: ear.reports,
    loud: ear.loud,
    reasons: Object.fromEntries(ear.reasons)
  }
}

export type Measured = Awaited<ReturnType<typeof measured>>

/** Connections over the network in memory, one after another. */
const memoryCycles = (times: number) =>
  Effect.gen(function* () {
    const server = yield* Server.make(
      Endpoint.tcp({ port: 0 }),
      Idle.over("1 minute")((transport) => transport.receiveEach(transport.send))
    )
    const client = Endpoint.tcpClient({ host: "127.0.0.1", port: inetOf(server.address).port })
    const reactor = yield* Reactor
    const cycle = Effect.scoped(
      Effect.flatMap(reactor.connect(client), (transport) =>
        Effect.andThen(transport.send("x"), transport.receive)
      )
    )
    yield* Effect.forEach(Array.from({ length: times }), () => cycle, { concurrency: 100, discard: true })
    return SubscriptionRef.getUnsafe(server.counts).accepted
  }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()))

const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

const main = (ear: Ear, fibers: Fibers) =>
  Effect.gen(function* () {
    const text = process.env["SPINDLE_IDENTITIES"]
    const all = services(text === undefined ? undefined : (JSON.parse(text) as Identities))
    const reactor = yield* Reactor
    const running = new Map<string, { readonly server: Server.Server; readonly scope: Scope.Closeable }>()
    const realNow = Date.now
    const start = Effect.fnUntraced(function* (name: string) {
      const scope = yield* Scope.make()
      const server = yield* Effect.provideService(Scope.provide(all.get(name)!, scope), Reactor, reactor)
      running.set(name, { server, scope })
      return inetOf(server.address).port
    })
    const stop = Effect.fnUntraced(function* (name: string) {
      const { scope, server } = running.get(name)!
      yield* server.stop
      const counts = SubscriptionRef.getUnsafe(server.counts)
      yield* Scope.close(scope, Exit.void)
      running.delete(name)
      return counts
    })
    const commands: Readonly<Record<string, (argument: string) => Effect.Effect<unknown, unknown>>> = {
      measure: () => Effect.promise(() => measured(ear, fibers, running)),
      // Without a collection, which takes its time.
      counts: () =>
        Effect.sync(() =>
          Object.fromEntries(
            [...running].map(([name, { server }]) => [name, SubscriptionRef.getUnsafe(server.counts)])
          )
        ),
      // Opens no descriptor.
      cpu: () =>
        Effect.sync(() => {
          const { system, user } = process.cpuUsage()
          return {
            cpu: (system + user) / 1_000,
            at: performance.now(),
            loud: ear.loud,
            sentBytes: progress.sentBytes
          }
        }),
      memoryCycles: (times) => memoryCycles(Number(times)),
      start: (name) => start(name),
      stop: (name) => stop(name),
      // The wall clock is moved by so many milliseconds.
      wallClock: (millis) =>
        Effect.sync(() => {
          Date.now = () => realNow() + Number(millis)
        })
    }
    const ports = yield* Effect.forEach(process.argv.slice(2), (name) =>
      Effect.map(start(name), (port) => [name, port] as const)
    )
    const run = Effect.runForkWith(yield* Effect.context<never>())
    yield* Effect.callback<void>((resume) => {
      readline
        .createInterface({ input: process.stdin })
        .on("line", (line) => {
          const [id, command, argument = ""] = line.split(" ")
          run(
            Effect.flatMap(Effect.exit(commands[command!]!(argument)), (exit) =>
              Effect.sync(() =>
                say(
                  Exit.isSuccess(exit)
                    ? { id, answer: exit.value ?? null }
                    : { id, failure: Cause.pretty(exit.cause) }
                )
              )
            )
          )
        })
        .on("close", () => resume(Effect.void))
      say({ id: "0", answer: Object.fromEntries(ports) })
    })
    for (const { scope } of running.values()) yield* Scope.close(scope, Exit.void)
  })

const ear = new Ear()
const fibers = new Fibers()
await Effect.runPromise(
  main(ear, fibers).pipe(
    Effect.scoped,
    Effect.provide(NodeReactor.layer),
    Effect.provideService(UnhandledFailure.Reporter, ear.report),
    Effect.provideService(Logger.CurrentLoggers, new Set([ear.logger])),
    Effect.provideService(References.MinimumLogLevel, "Debug"),
    Effect.provideService(Metric.FiberRuntimeMetrics, fibers)
  )
)
