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
import * as NodeSystemd from "../node/NodeSystemd.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import { type Signal, Signals } from "../reactor/Signals.ts"
import { boundedScope } from "./boundedScope.ts"
import { socketOf } from "./ControlProtocol.ts"
import * as ControlServer from "./ControlServer.ts"
import * as DaemonDump from "./DaemonDump.ts"
import type * as DaemonError from "./DaemonError.ts"
import * as DaemonLife from "./DaemonLife.ts"
import type { DaemonLog } from "./DaemonLog.ts"
import * as DaemonPidFile from "./DaemonPidFile.ts"
import type { DaemonStatus } from "./DaemonStatus.ts"

export interface Options {
  /** The application's name. */
  readonly name: string
  /** Absolute; undefined: none, and no control socket. */
  readonly pidFile: string | undefined
  readonly log: Pick<DaemonLog, "format" | "lines" | "rotate">
  /** What started this process, if it was one of ours. */
  readonly heir: NodeHeir | undefined
  /** Whoever waits for it to be ready, if it was started in the background. */
  readonly child: DetachedChild | undefined
  /** Done when another process has its place; signals are not heeded here any more then. Undefined: they end this one. */
  readonly succeeded: Effect.Effect<void> | undefined
}

/** By what it is to end. */
interface Cue {
  /** `Asked`: over its control socket. `Succeeded`: another process has its place. */
  readonly _tag: "Asked" | "Signalled" | "Succeeded"
  readonly signal: Signal
}

/** By what it ended. */
export interface End extends Cue {
  /** Not all has stopped: the process is to end all the same. */
  readonly forced: boolean
}

type Life = DaemonLife.DaemonLife<DaemonError.DaemonError>

/** Not worth an end: the service manager is told what it can be told. */
const told = <E extends DaemonLife.Told>(effect: Effect.Effect<void, E>): Effect.Effect<void> =>
  effect.pipe(Effect.catch(({ message }) => Effect.logWarning(message)))

/** Into the log: as text, and where that is for programs, as data. */
const dumped = (format: DaemonLog["format"]) => (status: DaemonStatus) =>
  Effect.gen(function* () {
    const { take } = yield* Effect.promise(() => import("../node/NodeDump.ts"))
    const facts = yield* take
    yield* Effect.annotateLogs(
      Effect.logInfo(DaemonDump.text(status, facts)),
      format === "json" ? { [DaemonDump.key]: DaemonDump.data(status, facts) } : {}
    )
  })

/** How long a worker may take to stop: longer than its manager waits, which may be gone. */
const orphanTimeout = "35 seconds"

const kept = Effect.fnUntraced(function* (
  options: Options,
  life: Life
): Effect.fn.Return<End, DaemonError.DaemonError, Reactor | Scope.Scope | Signals> {
  const { child, heir, log, name, pidFile } = options
  const started = yield* Clock.currentTimeMillis
  const pid = NodeEnvironment.pid()
  const systemd = NodeSystemd.make(heir?.role === "successor" ? { pid: NodeEnvironment.watchdogPid() } : {})
  const scope = yield* Effect.scope
  const cues = yield* Queue.unbounded<Cue>()
  let why: Cue["_tag"] = "Signalled"
  let isDeaf = false

  const endBecause = (tag: Cue["_tag"], signal: Signal) =>
    Effect.asVoid(Queue.offer(cues, { _tag: tag, signal }))

  const reload = Effect.gen(function* () {
    yield* told(systemd.reloading)
    return yield* Effect.ensuring(life.reload, told(systemd.ready()))
  })

  const restart = life.restart.pipe(
    Effect.tapError(({ message }) => Effect.logError(`not restarted: ${message}`)),
    Effect.tap((successor) =>
      successor === undefined
        ? Effect.logInfo("all workers were replaced")
        : Effect.gen(function* () {
            yield* DaemonPidFile.names(pidFile, successor)
            if (options.succeeded !== undefined) {
              yield* options.succeeded
              isDeaf = true
            }
            yield* Effect.logInfo(`process ${successor} has taken over`)
            yield* endBecause("Succeeded", "TERM")
          })
    )
  )

  const status = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    return { application: name, version: NodePackage.own.version, pid, started, now, ...(yield* life.status) }
  })

  const signals = yield* Signals
  const received = yield* signals.subscribe("TERM", "INT", "HUP", "USR1", "USR2")
  const onSignal = (signal: Signal): Effect.Effect<void> => {
    switch (signal) {
      case "HUP":
        // Why not has been logged.
        return Effect.ignore(reload)
      case "USR1":
        return Effect.andThen(told(log.rotate), life.passOn(signal))
      case "USR2":
        return Effect.andThen(Effect.flatMap(status, dumped(log.format)), life.passOn(signal))
      default:
        return endBecause("Signalled", signal)
    }
  }
  // A worker's terminal is its manager's.
  const isHeeded = (signal: Signal) =>
    !isDeaf && (signal !== "INT" || heir === undefined || heir.role === "successor")
  yield* Queue.take(received).pipe(
    // Not of this scope: a service that hangs in its reload is not waited for.
    Effect.flatMap((signal) =>
      isHeeded(signal) ? Effect.forkDetach(onSignal(signal), { startImmediately: true }) : Effect.void
    ),
    Effect.forever,
    Effect.forkScoped
  )

  // Into this process's log, without a word about who asked.
  const context = yield* Effect.context<never>()
  const here = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideContext(effect, context)

  yield* DaemonPidFile.own(options)
  const isInCharge = heir === undefined || heir.role === "successor"
  if (heir !== undefined) {
    yield* heir.onReload(Effect.asVoid(here(life.reload)))
    yield* Effect.forkScoped(Effect.andThen(heir.draining, endBecause("Asked", "TERM")))
  }
  if (pidFile !== undefined && isInCharge) {
    const operations = {
      status,
      stop: endBecause("Asked", "TERM"),
      reload: here(reload),
      restart: here(restart),
      logs: log.lines,
      service: (request: Parameters<Life["service"]>[0]) => here(life.service(request))
    }
    if (heir === undefined) yield* NodeControlFiles.removeDead(socketOf(pidFile))
    // One that cannot be reached can be run all the same: by signals.
    yield* ControlServer.make(socketOf(pidFile), operations).pipe(
      Effect.catch((error) => Effect.logWarning(`no control socket: ${error.message}`))
    )
  }

  const ready = Effect.gen(function* () {
    if (heir !== undefined) yield* heir.ready
    yield* Scope.provide(DaemonPidFile.takeOver(options), scope)
    if (isInCharge) {
      if (heir !== undefined) yield* told(systemd.mainPid(pid))
      yield* told(systemd.ready(`${name} is ready`))
      yield* Effect.forkIn(systemd.keepAlive(Effect.succeed(true)), scope)
    }
    if (child !== undefined) yield* child.ready
    yield* Effect.logInfo(`${name} is ready`)
  })

  const stopping = (signal: Signal | undefined) =>
    Effect.gen(function* () {
      if (why === "Succeeded") return yield* Effect.logInfo("stopping: another process serves now")
      if (!isInCharge) return yield* Effect.logInfo("stopping: told to")
      yield* told(systemd.stopping)
      yield* Effect.logInfo(
        signal === undefined
          ? "stopping: it has failed"
          : why === "Asked"
            ? "stopping: asked to"
            : `stopping: SIG${signal}`
      )
    })

  const ends: DaemonLife.Ends = {
    first: Effect.map(Queue.take(cues), ({ _tag, signal }) => {
      why = _tag
      return signal
    }),
    // Who asks again may only have lost patience with waiting.
    again: Effect.raceFirst(
      Queue.take(cues).pipe(
        Effect.repeat({ until: ({ _tag }) => _tag === "Signalled" }),
        Effect.map(({ signal }) => signal)
      ),
      isInCharge ? Effect.never : Effect.as(Effect.sleep(orphanTimeout), "TERM" as const)
    )
  }
  const forced = Effect.logWarning("not waiting any longer for what still stops")
  const end = yield* DaemonLife.keep(life, ends, { ready, stopping, forced })
  return { _tag: end.forced ? "Signalled" : why, ...end }
})

/** How long parts of the process may take to end: after all services, and where those are not waited for. */
export const endTimeout = (exit: Exit.Exit<End, unknown>) =>
  Exit.isSuccess(exit) && !exit.value.forced ? "30 seconds" : "2 seconds"

/** Runs it until it is ended, and says how. Pid file and control socket are gone then, whatever else there still is. */
export const run = (
  options: Options,
  life: Life
): Effect.Effect<End, DaemonError.DaemonError, Reactor | Signals> =>
  boundedScope(kept(options, life), endTimeout)
