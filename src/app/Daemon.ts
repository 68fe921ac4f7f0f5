/**
 * A running daemon: pid file, log, control socket, signals, service manager, profile, around what it keeps alive. Twisted: `twistd`,
 * `ApplicationRunner`.
 *
 * The order is Twisted's (C2-06): run directory, configuration, log, first phase, privileges, second phase, ready.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { NodeHeir } from "../node/NodeHeir.ts"
import type { DetachedChild } from "../node/NodeDetach.ts"
import * as NodeControlFiles from "../node/NodeControlFiles.ts"
import * as NodeEnvironment from "../node/NodeEnvironment.ts"
import * as NodePackage from "../node/NodePackage.ts"
import * as NodePidFile from "../node/NodePidFile.ts"
import * as NodeSystemd from "../node/NodeSystemd.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import { type Signal, Signals } from "../reactor/Signals.ts"
import { socketOf } from "./ControlProtocol.ts"
import * as ControlServer from "./ControlServer.ts"
import * as DaemonError from "./DaemonError.ts"
import * as DaemonLife from "./DaemonLife.ts"
import type { DaemonLog } from "./DaemonLog.ts"

export interface Options {
  /** The application's name. */
  readonly name: string
  /** Absolute; undefined: none, and no control socket. */
  readonly pidFile: string | undefined
  readonly log: Pick<DaemonLog, "lines" | "rotate">
  /** What started this process, if it was one of ours. */
  readonly heir: NodeHeir | undefined
  /** Whoever waits for it to be ready, if it was started in the background. */
  readonly child: DetachedChild | undefined
}

/** By what it ended. */
export interface End {
  /** `Asked`: over its control socket. `Succeeded`: another process has its place. */
  readonly _tag: "Asked" | "Signalled" | "Succeeded"
  readonly signal: Signal
}

type Life = DaemonLife.DaemonLife<DaemonError.DaemonError>

/** Takes the pid file, or leaves it to be taken over when this process is ready. */
const ownPidFile = Effect.fnUntraced(function* ({ heir, pidFile }: Options) {
  if (pidFile === undefined || heir !== undefined) return
  yield* Effect.mapError(NodePidFile.acquire(pidFile), DaemonError.from)
})

const takePidFileOver = Effect.fnUntraced(function* ({ heir, pidFile }: Options) {
  if (pidFile === undefined || heir?.role !== "successor") return
  yield* Effect.mapError(NodePidFile.replace(pidFile, heir.predecessor), DaemonError.from)
})

/** Not worth an end: the service manager is told what it can be told. */
const told = <E extends DaemonLife.Told>(effect: Effect.Effect<void, E>): Effect.Effect<void> =>
  effect.pipe(Effect.catch(({ message }) => Effect.logWarning(message)))

/** Runs it until it is ended, and says how. */
export const run = Effect.fnUntraced(function* (
  options: Options,
  life: Life
): Effect.fn.Return<End, DaemonError.DaemonError, Reactor | Scope.Scope | Signals> {
  const { child, heir, log, name, pidFile } = options
  const started = yield* Clock.currentTimeMillis
  const pid = NodeEnvironment.pid()
  const systemd = NodeSystemd.make(heir?.role === "successor" ? { pid: NodeEnvironment.watchdogPid() } : {})
  const scope = yield* Effect.scope
  const ends = yield* Queue.unbounded<End>()
  const end = Queue.take(ends)
  let why: End["_tag"] = "Signalled"

  const endBecause = (tag: End["_tag"], signal: Signal) =>
    Effect.asVoid(Queue.offer(ends, { _tag: tag, signal }))

  const reload = Effect.gen(function* () {
    yield* told(systemd.reloading)
    return yield* Effect.ensuring(life.reload, told(systemd.ready()))
  })

  const restart = Effect.tap(life.restart, (successor) =>
    successor === undefined
      ? Effect.logInfo("all workers were replaced")
      : Effect.andThen(Effect.logInfo(`process ${successor} has taken over`), endBecause("Succeeded", "TERM"))
  )

  const status = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    return { application: name, version: NodePackage.own.version, pid, started, now, ...(yield* life.status) }
  })

  const dump = Effect.gen(function* () {
    const { take } = yield* Effect.promise(() => import("../node/NodeDump.ts"))
    yield* Effect.logInfo("state", { process: yield* take, ...(yield* status) })
  })

  const signals = yield* Signals
  const received = yield* signals.subscribe("TERM", "INT", "HUP", "USR1", "USR2")
  const onSignal = (signal: Signal): Effect.Effect<void> => {
    switch (signal) {
      case "HUP":
        return Effect.asVoid(reload).pipe(
          Effect.catch(({ message }) => Effect.logError(`not reloaded: ${message}`))
        )
      case "USR1":
        return told(log.rotate)
      case "USR2":
        return dump
      default:
        return endBecause("Signalled", signal)
    }
  }
  // A worker's terminal is its manager's.
  const isHeeded = (signal: Signal) => signal !== "INT" || heir === undefined || heir.role === "successor"
  yield* Queue.take(received).pipe(
    Effect.flatMap((signal) =>
      isHeeded(signal) ? Effect.forkIn(onSignal(signal), scope, { startImmediately: true }) : Effect.void
    ),
    Effect.forever,
    Effect.forkScoped
  )

  yield* ownPidFile(options)
  const isInCharge = heir === undefined || heir.role === "successor"
  if (heir !== undefined) {
    yield* heir.onReload(Effect.asVoid(life.reload))
    yield* Effect.forkScoped(Effect.andThen(heir.draining, endBecause("Asked", "TERM")))
  }
  if (pidFile !== undefined && isInCharge) {
    const operations = {
      status,
      stop: endBecause("Asked", "TERM"),
      reload,
      restart,
      logs: log.lines,
      service: life.service
    }
    if (heir === undefined) yield* NodeControlFiles.removeDead(socketOf(pidFile))
    // One that cannot be reached can be run all the same: by signals.
    yield* ControlServer.make(socketOf(pidFile), operations).pipe(
      Effect.catch((error) => Effect.logWarning(`no control socket: ${error.message}`))
    )
  }

  const ready = Effect.gen(function* () {
    if (heir !== undefined) yield* heir.ready
    yield* Scope.provide(takePidFileOver(options), scope)
    if (isInCharge) {
      if (heir !== undefined) yield* told(systemd.mainPid(pid))
      yield* told(systemd.ready(`${name} is ready`))
      yield* Effect.forkIn(systemd.keepAlive(Effect.succeed(true)), scope)
    }
    if (child !== undefined) yield* child.ready
    yield* Effect.logInfo(`${name} is ready`)
  })

  const stopping = (signal: Signal) =>
    Effect.gen(function* () {
      if (why === "Succeeded") return yield* Effect.logInfo("stopping: another process serves now")
      if (!isInCharge) return yield* Effect.logInfo("stopping: told to")
      yield* told(systemd.stopping)
      yield* Effect.logInfo(why === "Asked" ? "stopping: asked to" : `stopping: SIG${signal}`)
    })

  const noted = Effect.map(end, (end) => {
    why = end._tag
    return end.signal
  })
  const exit = yield* Effect.exit(DaemonLife.keep(life, noted, { ready, stopping }))
  if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  if (exit.value.forced) yield* Effect.logWarning("not waiting any longer for what still stops")
  return { _tag: exit.value.forced ? "Signalled" : why, signal: exit.value.signal }
})
