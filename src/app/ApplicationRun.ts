/**
 * The life of one application: it is started, reloaded, stopped. What `Application.run` and the command are made of.
 *
 * ```ts
 * const life = yield* ApplicationRun.make(app, { sources, betweenPhases: dropPrivileges })
 * yield* life.start
 * yield* Effect.raceFirst(life.failed, ...)
 * ```
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Failure from "../result/Failure.ts"
import type { Application } from "./Application.ts"
import * as Configured from "./ApplicationConfiguration.ts"
import type { ApplicationSnapshot, ApplicationState } from "./ApplicationState.ts"
import type { Sources } from "./Configuration.ts"
import { ConfigurationError } from "./ConfigurationError.ts"
import { failureSentence } from "./failureSentence.ts"
import type { Service } from "./Service.ts"
import { ServiceError } from "./ServiceError.ts"
import type { ServiceNode } from "./ServiceNode.ts"
import { StartFailed } from "./ServiceReason.ts"
import * as ServiceTree from "./ServiceTree.ts"

export interface Options<EHook = never, RHook = never> {
  /** Where the configuration comes from. Default: nowhere, so that only defaults hold. */
  readonly sources?: Sources | undefined
  /** Between the two phases, when ports are bound: gives privileges up. Its failure is the application's, and releases the ports. */
  readonly betweenPhases?: Effect.Effect<unknown, EHook, RHook> | undefined
  /** The last step of a reload: certificates. Its failure is reported. */
  readonly reloadCertificates?: Effect.Effect<unknown, unknown, RHook> | undefined
}

/** What a reload has done. Whatever went wrong, everything runs on. */
export interface ReloadReport {
  /** The keys of the configuration that have another value, a line each. */
  readonly changes: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
  readonly errors: ReadonlyArray<{
    readonly step: "configuration" | "services" | "certificates"
    readonly message: string
  }>
}

export interface ApplicationRun<out E = never> {
  readonly state: SubscriptionRef.SubscriptionRef<ApplicationState>
  /**
   * Loads the configuration, binds (the first phase), runs the hook, and starts (the second); over when every service is ready.
   * If it fails, or is interrupted, nothing is left. Once only: after a stop, make another one.
   */
  readonly start: Effect.Effect<ServiceTree.ServiceTree, ConfigurationError | ServiceError | E>
  /**
   * Reads the configuration again; then every service takes it over, in order; then certificates. If the configuration is bad, the
   * old one holds, and the services are not asked. Asked for twice at once, it is done twice, one after the other; when the
   * application does not run, nothing is done.
   */
  readonly reload: Effect.Effect<ReloadReport>
  /** Stops everything, in reverse; over when it is. A start that is under way is interrupted. The end of the scope does so, too. */
  readonly stop: Effect.Effect<void>
  /** Waits until the application has failed while it ran. */
  readonly failed: Effect.Effect<never, ServiceError>
  readonly snapshot: Effect.Effect<ApplicationSnapshot>
}

const nothing: ReloadReport = { changes: [], warnings: [], errors: [] }

/** Errors that are meant for people speak for themselves. */
const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof ConfigurationError || error instanceof ServiceError
    ? error.message
    : failureSentence(Failure.fromCause(cause))
}

/** Ready to be started. It stops with the scope. */
export const make = Effect.fnUntraced(function* <E, R, EHook = never, RHook = never>(
  app: Application<E, R>,
  options: Options<EHook, RHook> = {}
): Effect.fn.Return<ApplicationRun<EHook>, never, R | RHook | Scope.Scope> {
  const context = yield* Effect.context<R | RHook | Scope.Scope>()
  const scope = yield* Scope.fork(yield* Effect.scope)
  const state = yield* SubscriptionRef.make<ApplicationState>({
    _tag: "Stopped",
    since: yield* Clock.currentTimeMillis
  })
  const reloading = yield* Semaphore.make(1)
  const failure = yield* Deferred.make<never, ServiceError>()
  const configuration = yield* Configured.make(app.config, options.sources ?? {})
  let root: ServiceNode | undefined
  let tree: ServiceTree.ServiceTree | undefined

  const enter = (_tag: Exclude<ApplicationState["_tag"], "Failed">) =>
    Effect.flatMap(Clock.currentTimeMillis, (since) => SubscriptionRef.set(state, { _tag, since }))
  const fail = (message: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (since) =>
      SubscriptionRef.set(state, { _tag: "Failed", since, message })
    )

  const bind = Effect.gen(function* () {
    const value = yield* configuration.load
    yield* enter("Binding")
    const service = yield* Effect.try({
      // Whatever else it may be, it is a service of this application's.
      try: () => app.root(value, configuration.live) as Service<never, E, R>,
      catch: (error) =>
        new ServiceError({
          path: "/",
          reason: new StartFailed({ phase: "privileged", failure: Failure.fromCause(Cause.die(error)) })
        })
    })
    return yield* ServiceTree.bind(service)
  })

  const starting = Effect.gen(function* () {
    yield* enter("Loading")
    const bound = yield* bind
    root = bound.root
    if (options.betweenPhases !== undefined) yield* options.betweenPhases
    yield* enter("Starting")
    tree = yield* bound.start
    yield* enter("Running")
    yield* Effect.forkIn(watch(tree), scope)
    return tree
  }).pipe(
    Scope.provide(scope),
    Effect.onExit((exit) =>
      Exit.isSuccess(exit)
        ? Effect.void
        : Effect.andThen(
            Scope.close(scope, exit),
            Cause.hasInterruptsOnly(exit.cause) ? enter("Stopped") : fail(messageOf(exit.cause))
          )
    ),
    Effect.provideContext(context)
  )

  // Who asks may be interrupted, or stop it meanwhile: it is one start all the same.
  let started: Fiber.Fiber<ServiceTree.ServiceTree, ConfigurationError | ServiceError | EHook> | undefined
  const start = Effect.suspend(() =>
    Effect.flatMap(
      started === undefined
        ? Effect.forkDetach(starting, { startImmediately: true })
        : Effect.succeed(started),
      (fiber) => {
        started = fiber
        return Effect.onInterrupt(Fiber.join(fiber), () => Fiber.interrupt(fiber))
      }
    )
  )

  const watch = (running: ServiceTree.ServiceTree) =>
    running.failed.pipe(
      Effect.catch((error) => Effect.andThen(fail(error.message), Deferred.fail(failure, error)))
    )

  const stop = Effect.gen(function* () {
    if (started !== undefined && tree === undefined) yield* Fiber.interrupt(started)
    const before = yield* SubscriptionRef.get(state)
    if (before._tag === "Stopped" || before._tag === "Failed") return
    yield* enter("Stopping")
    if (tree !== undefined) {
      yield* tree.stop.pipe(Effect.catch(({ message }) => Effect.logWarning(message)))
    }
    yield* Scope.close(scope, Exit.void)
    yield* enter("Stopped")
  }).pipe(Effect.uninterruptible)

  const reloaded = Effect.fnUntraced(function* (running: ServiceTree.ServiceTree) {
    yield* enter("Reloading")
    const errors: Array<ReloadReport["errors"][number]> = []
    const step = (name: (typeof errors)[number]["step"], work: Effect.Effect<unknown, unknown>) =>
      Effect.catchCause(work, (cause) => {
        if (Cause.hasInterrupts(cause)) return Effect.interrupt
        errors.push({ step: name, message: messageOf(cause) })
        return Effect.void
      })
    let report = nothing
    yield* step(
      "configuration",
      Effect.map(configuration.reload, (found) => {
        report = { ...nothing, ...found }
      })
    )
    if (errors.length === 0) yield* step("services", running.reload)
    if (options.reloadCertificates !== undefined) {
      yield* step("certificates", Effect.provideContext(options.reloadCertificates, context))
    }
    report = { ...report, errors }
    yield* told(report)
    return report
  })

  const runsAgain = Effect.flatMap(SubscriptionRef.get(state), ({ _tag }) =>
    _tag === "Reloading" ? enter("Running") : Effect.void
  )
  const reload = Effect.flatMap(SubscriptionRef.get(state), ({ _tag }) =>
    _tag === "Running" && tree !== undefined
      ? Effect.ensuring(reloaded(tree), runsAgain)
      : Effect.as(Effect.logInfo("not reloaded: the application does not run"), nothing)
  ).pipe(reloading.withPermits(1))

  const snapshot = Effect.gen(function* () {
    const now = yield* SubscriptionRef.get(state)
    return {
      name: app.name,
      description: app.description,
      state: now,
      ready: root !== undefined && (yield* root.ready),
      live: root !== undefined && (yield* root.live),
      services: root === undefined ? undefined : yield* root.snapshot
    }
  })

  yield* Effect.addFinalizer(() => stop)
  return Object.freeze({ state, start, reload, stop, failed: Deferred.await(failure), snapshot })
})

const told = ({ changes, errors, warnings }: ReloadReport): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const warning of warnings) yield* Effect.logWarning(`configuration: ${warning}`)
    for (const { message, step } of errors) yield* Effect.logError(`reload of ${step}: ${message}`)
    const changed = changes.length === 0 ? "" : `: ${changes.join("; ")}`
    yield* Effect.logInfo(errors.length === 0 ? `reloaded${changed}` : `reloaded in part${changed}`)
  })
