/** The process that runs an application: what `spindle run` is when it is not the one that only starts it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as NodeDetach from "../../node/NodeDetach.ts"
import * as LogEarly from "../../log/LogEarly.ts"
import * as NodeControlFiles from "../../node/NodeControlFiles.ts"
import * as NodeCrash from "../../node/NodeCrash.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodeHeir from "../../node/NodeHeir.ts"
import type { Command } from "../../node/NodeHeirLine.ts"
import * as NodeListeners from "../../node/NodeListeners.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import type * as NodePrivileges from "../../node/NodePrivileges.ts"
import type * as Application from "../Application.ts"
import { boundedScope } from "../boundedScope.ts"
import * as Daemon from "../Daemon.ts"
import * as DaemonApplication from "../DaemonApplication.ts"
import * as DaemonError from "../DaemonError.ts"
import type { DaemonLife } from "../DaemonLife.ts"
import * as DaemonLog from "../DaemonLog.ts"
import * as DaemonPlatform from "../DaemonPlatform.ts"
import * as DaemonShepherd from "../DaemonShepherd.ts"
import * as ExitStatus from "../ExitStatus.ts"
import { CommandFailure } from "./CommandFailure.ts"
import type * as DaemonFlags from "./DaemonFlags.ts"
import type { Invocation } from "./Invocation.ts"
import * as RunParts from "./RunParts.ts"
import { UsageError } from "./UsageError.ts"

export type Problem = CommandFailure | DaemonError.DaemonError | UsageError

/** What is to be run, found out when the run directory is right. */
export type Load = Effect.Effect<Application.Runnable, Problem>

/** Runs it until it is ended. `child`: whoever waits for it to be ready. */
export const serve = (
  invocation: Invocation,
  load: Load,
  child: NodeDetach.DetachedChild | undefined
): Effect.Effect<Daemon.End, Problem> =>
  boundedScope(
    Effect.flatMap(Effect.mapError(NodeHeir.make, DaemonError.from), (heir) =>
      started(invocation, load, child, heir).pipe(
        Effect.catch((error) =>
          heir === undefined || heir.beginning.isNow ? Effect.fail(error) : saidTo(heir, error)
        )
      )
    ),
    // For the log and the profile to be written.
    Daemon.endTimeout
  )

/** Whoever started this process tells why it does not serve. */
const saidTo = (heir: NodeHeir.NodeHeir, error: Problem) => {
  const status = error._tag === "UsageError" ? ExitStatus.codes.USAGE : error.status
  return Effect.andThen(
    heir.failed(error.message),
    Effect.fail(new CommandFailure({ detail: error.message, status, isTold: true }))
  )
}

const started = Effect.fnUntraced(function* (
  invocation: Invocation,
  load: Load,
  child: NodeDetach.DetachedChild | undefined,
  heir: NodeHeir.NodeHeir | undefined
): Effect.fn.Return<Daemon.End, Problem, Scope.Scope> {
  const { settings } = invocation
  const origin = NodeEnvironment.absolute(".")
  // What a thread is part of has done this.
  if (heir?.role !== "thread") yield* surroundings(settings)
  const [app, early] = yield* LogEarly.hold(load)
  const identity = yield* RunParts.identityOf(settings)
  const pidFile = settings.pidfile ?? NodeControlFiles.pidFileOf(".", app.name)
  const file = settings.logfile ?? (settings.daemon ? `${app.name}.log` : "-")
  const log = yield* logOf(settings, app.name, file, identity)
  if (settings.profile !== undefined) yield* RunParts.profile(settings.profile)
  if (settings.inspect !== undefined) yield* RunParts.inspect(settings.inspect)
  const options: Daemon.Options = {
    name: app.name,
    pidFile: pidFile === "" ? undefined : NodeEnvironment.absolute(pidFile),
    log,
    heir,
    child,
    succeeded: undefined
  }
  const { countFibers } = yield* Effect.promise(() => import("../../node/NodeDump.ts"))
  return yield* Effect.andThen(early, kept(invocation, options, app, identity, origin)).pipe(
    // Elsewhere the command says it.
    Effect.tapError((error) => (file === "-" || file === "+" ? Effect.void : Effect.logError(error.message))),
    Effect.annotateLogs(heir?.slot === undefined ? {} : { worker: heir.slot }),
    Effect.provide(Layer.merge(log.layer, countFibers))
  )
})

/** Where the process is, and what its files are like. */
const surroundings = Effect.fnUntraced(function* ({ rundir, umask }: DaemonFlags.DaemonSettings) {
  if (rundir !== undefined) {
    yield* Effect.mapError(
      NodeEnvironment.enter(rundir),
      (error) => new DaemonError.DaemonError({ detail: error.message, status: ExitStatus.codes.OSFILE })
    )
  }
  if (umask !== undefined) NodeEnvironment.umask(umask)
})

const logOf = (
  settings: DaemonFlags.DaemonSettings,
  name: string,
  file: string,
  identity: NodePrivileges.Identity | undefined
) =>
  Effect.mapError(
    DaemonLog.make({
      name: settings.prefix ?? name,
      file,
      format: settings.logFormat,
      levels: settings.logLevel,
      syslog: settings.syslog,
      owner: identity?.uid === undefined ? undefined : { uid: identity.uid, gid: identity.gid },
      isTerminal: NodeEnvironment.isTerminal()
    }),
    (error) =>
      error.isUsage
        ? new UsageError({ detail: `--log-level: ${error.message}` })
        : new DaemonError.DaemonError({ detail: error.message, status: ExitStatus.codes.CANTCREAT })
  )

/** The application, or the manager of several that run it, as long as it is to be there. */
const kept = Effect.fnUntraced(function* (
  { environment, settings, sources }: Invocation,
  options: Daemon.Options,
  app: Application.Runnable,
  identity: NodePrivileges.Identity | undefined,
  origin: string
): Effect.fn.Return<Daemon.End, DaemonError.DaemonError, Scope.Scope> {
  const { heir } = options
  yield* NodeCrash.log
  const listeners = heir?.listeners ?? NodeListeners.make()
  // All that runs is in here. When it is to stop, it ends; and who is told not to wait for that does not.
  const scope = yield* Scope.make()
  let isStopping = false
  const context = yield* Layer.buildWithScope(DaemonPlatform.layer(listeners), scope)
  const count = settings.workers + settings.threads
  const isManager = count > 0 && heir?.role !== "worker" && heir?.role !== "thread"
  const making = isManager
    ? workers(settings, heir, { cwd: origin, env: environment() })
    : DaemonApplication.make({
        app,
        sources,
        betweenPhases: RunParts.dropTo(identity, settings),
        succeed: succession(listeners, { cwd: origin, environment }, settings)
      })
  const life: DaemonLife<DaemonError.DaemonError> = yield* Effect.provideContext(
    Scope.provide(making, scope),
    context
  )
  const stop = Effect.suspend(() => {
    isStopping = true
    return Effect.ensuring(life.stop, Scope.close(scope, Exit.void))
  })
  return yield* Effect.gen(function* () {
    const { pidFile } = options
    let shepherd: DaemonShepherd.Shepherd | undefined
    const herding = yield* Effect.scope
    const succeeded =
      pidFile === undefined || isManager || !isAwaited(settings)
        ? undefined
        : Effect.map(Scope.provide(DaemonShepherd.make(pidFile), herding), (made) => {
            shepherd = made
          }).pipe(Effect.provideContext(context))
    const end = yield* Daemon.run({ ...options, succeeded }, { ...life, stop })
    if (end._tag !== "Succeeded" || shepherd === undefined) return end
    // Nothing of this one is left but that somebody waits for it.
    const signal = yield* shepherd.wait
    return signal === undefined ? end : ({ _tag: "Signalled", signal, forced: false } as const)
  }).pipe(
    Effect.scoped,
    Effect.onExit((exit) => (isStopping ? Effect.void : Scope.close(scope, exit))),
    Effect.provideContext(context)
  )
})

const workers = (
  settings: DaemonFlags.DaemonSettings,
  heir: NodeHeir.NodeHeir | undefined,
  command: Required<Pick<Command, "cwd" | "env">>
) =>
  Effect.flatMap(
    Effect.promise(() => import("../DaemonWorkers.ts")),
    (module) =>
      module.make({
        kind: settings.workers > 0 ? "processes" : "threads",
        count: settings.workers + settings.threads,
        heir,
        command,
        readyTimeout: settings.startTimeout,
        program: NodePackage.again()
      })
  )

/** Whether somebody waits for this very process: in the foreground, and not a manager that is told of the new one. */
const isAwaited = (settings: DaemonFlags.DaemonSettings): boolean =>
  !settings.daemon &&
  NodeEnvironment.variable("NOTIFY_SOCKET") === undefined &&
  NodeEnvironment.variable(DaemonShepherd.variable) === undefined

/** The same command again, as this one was called. */
const succession = (
  listeners: NodeListeners.NodeListeners,
  { cwd, environment }: { readonly cwd: string; readonly environment: Invocation["environment"] },
  settings: DaemonFlags.DaemonSettings
) =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeSuccession.ts")),
    (module) =>
      Effect.map(
        module.begin({
          listeners,
          command: {
            cwd,
            detached: true,
            env: { ...environment(), [DaemonShepherd.variable]: "1" }
          },
          readyTimeout: settings.startTimeout
        }),
        ({ pid }) => pid
      )
  )
