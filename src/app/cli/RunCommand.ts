/** `spindle run FILE` and `spindle PLUGIN`: an application as a daemon, in the foreground or in the background. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeDetach from "../../node/NodeDetach.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodeHeir from "../../node/NodeHeir.ts"
import * as NodeListeners from "../../node/NodeListeners.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import type * as NodePrivileges from "../../node/NodePrivileges.ts"
import * as NodeControlFiles from "../../node/NodeControlFiles.ts"
import * as Application from "../Application.ts"
import * as Daemon from "../Daemon.ts"
import * as DaemonApplication from "../DaemonApplication.ts"
import * as DaemonError from "../DaemonError.ts"
import * as DaemonLog from "../DaemonLog.ts"
import * as DaemonPlatform from "../DaemonPlatform.ts"
import * as DaemonShepherd from "../DaemonShepherd.ts"
import * as ExitStatus from "../ExitStatus.ts"
import type * as ServiceMaker from "../ServiceMaker.ts"
import * as ApplicationFile from "./ApplicationFile.ts"
import { CommandFailure } from "./CommandFailure.ts"
import * as DaemonFlags from "./DaemonFlags.ts"
import { EndedBySignal } from "./EndedBySignal.ts"
import { UsageError } from "./UsageError.ts"

type Problem = CommandFailure | DaemonError.DaemonError | UsageError

/** What is to be run, found out when the run directory is right. */
type Load = Effect.Effect<Application.Runnable, Problem>

export const runFile = (input: DaemonFlags.Given & { readonly file: string }) => {
  // As the user wrote it: from where the command was called, whatever the run directory is.
  const file = NodeEnvironment.absolute(input.file)
  return run(input, ApplicationFile.load(file))
}

export const runService = (maker: ServiceMaker.Any, input: DaemonFlags.Given & { readonly own: unknown }) =>
  run(
    input,
    Effect.suspend(() => maker.make(input.own as never)).pipe(
      Effect.mapError(
        (problem) => new UsageError({ detail: problem.message, hint: `see spindle ${maker.name} --help` })
      ),
      Effect.map(
        (service) =>
          Application.make({
            name: maker.name,
            description: maker.description,
            services: [service]
          }) as Application.Runnable
      )
    )
  )

const run = Effect.fnUntraced(function* (given: DaemonFlags.Given, load: Load) {
  const before = yield* DaemonFlags.settings(given, NodeEnvironment.variables())
  if (before.envFile !== undefined) yield* loadEnvFile(before.envFile)
  // The file may have set options, too.
  const settings = yield* DaemonFlags.settings(given, NodeEnvironment.variables())
  const child = yield* NodeDetach.child
  if (settings.daemon && child === undefined && NodeHeir.role() === undefined) return yield* launch(settings)
  const exit = yield* Effect.scoped(serve(settings, load, child)).pipe(
    Effect.tapError((error) =>
      child === undefined ? Effect.void : child.failed(error.message, statusOf(error))
    )
  )
  if (exit._tag === "Signalled" && (exit.signal === "TERM" || exit.signal === "INT")) {
    return yield* new EndedBySignal({ signal: exit.signal })
  }
})

const statusOf = (error: Problem): number =>
  error._tag === "UsageError" ? ExitStatus.codes.USAGE : error.status

const loadEnvFile = (file: string) =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeEnvFile.ts")),
    (module) => Effect.mapError(module.load([file]), DaemonError.from)
  )

/** Starts the daemon, and waits until it is ready, or has failed. */
const launch = Effect.fnUntraced(function* (settings: DaemonFlags.DaemonSettings) {
  const failure = (detail: string, status: number) => new CommandFailure({ detail, status })
  const outcome = yield* NodeDetach.start().pipe(
    Effect.mapError((error) => failure(error.message, ExitStatus.codes.OSERR)),
    Effect.timeoutOrElse({
      duration: settings.startTimeout,
      orElse: () =>
        Effect.fail(failure("the daemon was not ready in time, and was ended", ExitStatus.codes.TEMPFAIL))
    })
  )
  switch (outcome._tag) {
    case "Ready":
      return
    case "Failed":
      return yield* failure(outcome.reason, outcome.code)
    case "Died":
      return yield* failure(deathOf(outcome), ExitStatus.codes.SOFTWARE)
  }
})

/** It said nothing: its last words may tell. */
const deathOf = (outcome: Extract<NodeDetach.Outcome, { readonly _tag: "Died" }>): string => {
  const { code, lines, signal } = outcome
  const how = signal === undefined ? `with code ${code ?? "unknown"}` : `by SIG${signal}`
  const words = lines.length === 0 ? "" : `: ${lines.join("\n  ")}`
  return `the daemon ended ${how} before it was ready${words}`
}

const serve = Effect.fnUntraced(function* (
  settings: DaemonFlags.DaemonSettings,
  load: Load,
  child: NodeDetach.DetachedChild | undefined
): Effect.fn.Return<Daemon.End, Problem, Scope.Scope> {
  const origin = NodeEnvironment.absolute(".")
  const heir = yield* Effect.mapError(NodeHeir.make, DaemonError.from)
  // What a thread is part of has done this.
  const isThread = heir?.role === "thread"
  if (settings.rundir !== undefined && !isThread) {
    yield* Effect.mapError(
      NodeEnvironment.enter(settings.rundir),
      (error) => new DaemonError.DaemonError({ detail: error.message, status: ExitStatus.codes.OSFILE })
    )
  }
  if (settings.umask !== undefined && !isThread) NodeEnvironment.umask(settings.umask)
  const listeners = heir?.listeners ?? NodeListeners.make()
  const app = yield* load
  const identity = yield* identityOf(settings)
  const pidFile = settings.pidfile ?? NodeControlFiles.pidFileOf(".", app.name)
  const file = settings.logfile ?? (settings.daemon ? `${app.name}.log` : "-")
  const log = yield* DaemonLog.make({
    name: settings.prefix ?? app.name,
    file,
    format: settings.logFormat,
    levels: settings.logLevel,
    syslog: settings.syslog,
    owner: identity?.uid === undefined ? undefined : { uid: identity.uid, gid: identity.gid },
    isTerminal: NodeEnvironment.isTerminal()
  }).pipe(
    Effect.mapError((error) =>
      error.isUsage
        ? new UsageError({ detail: `--log-level: ${error.message}` })
        : new DaemonError.DaemonError({ detail: error.message, status: ExitStatus.codes.CANTCREAT })
    )
  )
  if (settings.profile !== undefined) yield* profile(settings.profile)
  if (settings.inspect !== undefined) yield* inspect(settings.inspect)
  const sources = {
    flags: settings.set,
    environment: NodeEnvironment.variables(),
    ...(settings.config === undefined ? {} : { file: settings.config })
  }
  const options: Daemon.Options = {
    name: app.name,
    pidFile: pidFile === "" ? undefined : NodeEnvironment.absolute(pidFile),
    log,
    heir,
    child
  }
  const count = settings.workers + settings.threads
  const isManager = count > 0 && heir?.role !== "worker" && heir?.role !== "thread"
  return yield* Effect.gen(function* () {
    const life = isManager
      ? yield* workers(settings, heir, origin)
      : yield* DaemonApplication.make({
          app,
          sources,
          betweenPhases: dropTo(identity, settings),
          succeed: succession(listeners, origin, settings)
        })
    const end = yield* Daemon.run(options, life)
    if (end._tag !== "Succeeded" || options.pidFile === undefined || !isAwaited(settings)) return end
    // Nothing of this one is left but that somebody waits for it.
    yield* life.stop
    const signal = yield* DaemonShepherd.wait(options.pidFile)
    return signal === undefined ? end : ({ _tag: "Signalled", signal } as const)
  }).pipe(
    // Elsewhere the command says it.
    Effect.tapError((error) => (file === "-" || file === "+" ? Effect.void : Effect.logError(error.message))),
    Effect.annotateLogs(heir?.slot === undefined ? {} : { worker: heir.slot }),
    Effect.provide(DaemonPlatform.layer(listeners)),
    Effect.provide(log.layer)
  )
})

const workers = (settings: DaemonFlags.DaemonSettings, heir: NodeHeir.NodeHeir | undefined, cwd: string) =>
  Effect.flatMap(
    Effect.promise(() => import("../DaemonWorkers.ts")),
    (module) =>
      module.make({
        kind: settings.workers > 0 ? "processes" : "threads",
        count: settings.workers + settings.threads,
        heir,
        cwd,
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
  cwd: string,
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
            env: { ...NodeEnvironment.variables(), [DaemonShepherd.variable]: "1" }
          },
          readyTimeout: settings.startTimeout
        }),
        ({ pid }) => pid
      )
  )

const identityOf = (
  settings: DaemonFlags.DaemonSettings
): Effect.Effect<NodePrivileges.Identity | undefined, DaemonError.DaemonError> =>
  settings.uid === undefined && settings.gid === undefined
    ? Effect.undefined
    : Effect.flatMap(
        Effect.promise(() => import("../../node/NodePrivileges.ts")),
        (module) =>
          Effect.mapError(module.resolve({ user: settings.uid, group: settings.gid }), DaemonError.from)
      )

const dropTo = (
  identity: NodePrivileges.Identity | undefined,
  settings: DaemonFlags.DaemonSettings
): Effect.Effect<void, DaemonError.DaemonError> =>
  identity === undefined
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../../node/NodePrivileges.ts")),
        (module) => Effect.mapError(module.drop(identity, { effectiveOnly: settings.euid }), DaemonError.from)
      )

const profile = (kind: "cpu" | "heap") =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeProfile.ts")),
    (module) => Effect.mapError(module.make({ kind }), DaemonError.from)
  )

const inspect = (at: string) =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeInspect.ts")),
    (module) =>
      Effect.mapError(module.open(at), (error) => new UsageError({ detail: `--inspect: ${error.message}` }))
  )
