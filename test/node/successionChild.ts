/**
 * A program that can be replaced by another run of itself, alone or with workers. Each connection and datagram is answered with the
 * number of the process, or thread, that serves it; one that says "crash" ends it.
 *
 * TERM: stop. USR2: begin a succession. HUP: restart the workers, one by one, or have them reload. USR1: say what they are.
 */
import * as fs from "node:fs"
import { isMainThread, threadId, workerData } from "node:worker_threads"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as NodeHeir from "../../src/node/NodeHeir.ts"
import * as NodeListeners from "../../src/node/NodeListeners.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeSignals from "../../src/node/NodeSignals.ts"
import * as NodeSuccession from "../../src/node/NodeSuccession.ts"
import * as NodeWorkers from "../../src/node/NodeWorkers.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as IdentityFiles from "../../src/reactor/IdentityFiles.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Reloads from "../../src/reactor/Reloads.ts"
import * as Signals from "../../src/reactor/Signals.ts"

export interface Setting {
  readonly endpoints: ReadonlyArray<Endpoint.Server>
  readonly udp?: ReadonlyArray<Endpoint.Udp>
  /** Run by so many processes, or threads. */
  readonly workers?: number
  readonly threads?: number
  readonly sharing?: NodeWorkers.Sharing
  readonly restarts?: number
  /** One more endpoint, over TLS, whose certificate and key are in this file. HUP has it read again. */
  readonly certified?: string
  /** What happens at the start, in each run as it stands there then. */
  readonly fate?: "fail" | "die" | "hang" | "go deaf" | "fall" | undefined
  readonly readyTimeout?: number
}

const file = isMainThread ? process.argv[2]! : (workerData as { readonly data: string }).data
const setting = JSON.parse(fs.readFileSync(file, "utf8"), (key, value: unknown) =>
  key === "privateKey" ? Redacted.make(value as string) : value
) as Setting

const number = isMainThread ? process.pid : threadId
const say = (text: string) => Effect.sync(() => fs.writeSync(1, `${number} ${text}\n`))
const own = `${number}\n`

const crash = Effect.sync(() => {
  if (isMainThread) process.kill(process.pid, "SIGKILL")
  else
    setImmediate(() => {
      throw new Error("crashed, as it was told")
    })
})

const tlsOf = (file: string) =>
  Effect.map(IdentityFiles.make({ privateKey: file }), (identity) =>
    Endpoint.tls({ port: 0, interface: "127.0.0.1", tls: { identity } })
  ).pipe(Effect.provide(NodeFileSystem.layer))

const serve = Effect.gen(function* () {
  const reactor = yield* Reactor
  const { certified, endpoints } = setting
  const all = certified === undefined ? endpoints : [...endpoints, yield* tlsOf(certified)]
  for (const [i, endpoint] of all.entries()) {
    const server = yield* Server.make(
      endpoint,
      (transport) =>
        Effect.flatMap(transport.receive, (bytes) =>
          String(Buffer.from(bytes)).startsWith("crash")
            ? crash
            : Effect.andThen(transport.send(own), transport.end)
        ),
      { name: `${i}` }
    )
    yield* say(`listens ${i} ${String(server.address)}`)
  }
  for (const [i, endpoint] of (setting.udp ?? []).entries()) {
    const port = yield* reactor.datagram(endpoint)
    yield* Effect.forkScoped(
      port.receiveEach((messages) =>
        Effect.forEach(messages, ({ peer }) => Effect.ignore(port.send(own, peer)), { discard: true })
      ),
      { startImmediately: true }
    )
    yield* say(`receives ${i} ${String(port.local)}`)
  }
  if (setting.fate === "fail") return yield* Effect.fail("no luck")
  if (setting.fate === "die") process.kill(process.pid, "SIGKILL")
  if (setting.fate === "hang") return yield* Effect.never
  if (setting.fate === "go deaf") process.disconnect?.()
})

const readyTimeout = setting.readyTimeout ?? "40 seconds"

/** Until it is to end. */
const live = Effect.fnUntraced(function* (
  heir: NodeHeir.NodeHeir | undefined,
  listeners: NodeListeners.NodeListeners,
  workers: NodeWorkers.NodeWorkers | undefined,
  signals: Queue.Dequeue<Signals.Signal>
) {
  if (heir !== undefined) {
    // What comes up the stack need be no `Error`.
    yield* heir.onReload(Effect.mapError(Reloads.reload, ({ message }) => ({ message })))
    // After all that begins: it has just taken over.
    if (setting.fate === "fall") heir.beginning.when(() => process.kill(process.pid, "SIGKILL"))
    yield* heir.ready
  }
  yield* say(`ready ${heir?.role} ${heir?.slot}`)
  for (;;) {
    const next = Queue.take(signals)
    switch (
      yield* heir === undefined ? next : Effect.raceFirst(next, Effect.as(heir.draining, "TERM" as const))
    ) {
      case "TERM":
        return
      case "HUP": {
        const again = setting.certified === undefined ? workers?.restart : workers?.reload
        const restarted = again ?? Effect.void
        yield* Effect.matchEffect(restarted, {
          onSuccess: () => say("restarted"),
          onFailure: (error) => say(`not restarted: ${error.reason}: ${error.message}`)
        })
        break
      }
      case "USR1": {
        yield* say(`status ${JSON.stringify(yield* workers?.status ?? Effect.succeed([]))}`)
        break
      }
      default: {
        const begun = NodeSuccession.begin({ listeners, readyTimeout })
        const succeeded = yield* Effect.matchEffect(begun, {
          onSuccess: ({ pid }) => Effect.as(say(`succeeded by ${pid}`), true),
          onFailure: (error) => Effect.as(say(`not succeeded: ${error.reason}: ${error.message}`), false)
        })
        if (succeeded) return
      }
    }
  }
})

const manage = (heir: NodeHeir.NodeHeir | undefined) => {
  const common = {
    heir,
    readyTimeout,
    backoff: { first: "20 millis", most: "1 second" },
    ...(setting.restarts === undefined
      ? {}
      : { intensity: { restarts: setting.restarts, period: "1 minute" as const } })
  } as const
  return setting.threads === undefined
    ? NodeWorkers.make({
        ...common,
        count: setting.workers!,
        sharing: setting.sharing,
        // Tests end the group.
        command: { detached: false }
      })
    : NodeWorkers.makeThreads({
        ...common,
        count: setting.threads,
        module: new URL(import.meta.url),
        data: file
      })
}

const program = Effect.gen(function* () {
  const heir = yield* NodeHeir.make
  const isAlone = setting.workers === undefined && setting.threads === undefined
  const isManager = !isAlone && heir?.role !== "worker" && heir?.role !== "thread"
  const listeners = heir?.listeners ?? NodeListeners.make()
  const served = Effect.gen(function* () {
    const { subscribe } = yield* Signals.Signals
    const signals = isMainThread
      ? yield* subscribe("TERM", "USR2", "HUP", "USR1")
      : yield* Queue.make<Signals.Signal>()
    if (!isManager) {
      yield* serve
      return yield* live(heir, listeners, undefined, signals)
    }
    const workers = yield* manage(heir)
    yield* Effect.raceFirst(
      live(heir, workers.listeners, workers, signals),
      Effect.tapError(workers.failed, (error) => say(`failed: ${error.reason}: ${error.message}`))
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(NodeReactor.layerWith({ listeners }), NodeSignals.layer)),
    Effect.tapCause((cause) => (heir === undefined ? Effect.void : heir.failed(String(Cause.squash(cause)))))
  )
  // Nothing else holds the process while it waits.
  const hold = setInterval(() => {}, 60_000)
  yield* Effect.ensuring(
    served,
    Effect.sync(() => clearInterval(hold))
  )
  yield* say("done")
})

const exit = await Effect.runPromiseExit(program)
if (exit._tag === "Failure") {
  fs.writeSync(2, `${Cause.pretty(exit.cause)}\n`)
  process.exit(1)
}
if (!isMainThread) process.exit(0)
