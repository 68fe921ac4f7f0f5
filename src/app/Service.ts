/**
 * A service: a named part of an application that starts, runs, and stops. Twisted: `Service`, `IService`.
 *
 * A value of this type is a description: nothing runs until a tree starts it. It starts in two phases, so that ports can be
 * bound before the process gives its privileges up: `privileged` first, for all services of an application; then `start`. What
 * either acquires belongs to a scope, which is closed when the service stops.
 *
 * ```ts
 * const heartbeat = Service.make({
 *   name: "heartbeat",
 *   description: "says that it lives",
 *   run: () => Effect.log("alive").pipe(Effect.delay("10 seconds"), Effect.forever)
 * })
 * const store = Service.layer(Store.layer, { name: "store" }) // what comes after it may require Store
 * ```
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Pipeable from "effect/Pipeable"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Processes } from "../reactor/ProcessesService.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Signals } from "../reactor/Signals.ts"
import type { Threads } from "../reactor/Threads.ts"
import type { Timers } from "../reactor/Timers.ts"
import type { Body } from "./ServiceBody.ts"
import * as ServiceBody from "./ServiceBody.ts"
import type * as ServiceProbe from "./ServiceProbe.ts"

export const TypeId = "~spindle/app/Service" as const
export type TypeId = typeof TypeId

/**
 * When a service that has ended is started again:
 *
 * - `permanent`: always. - `transient`: when it failed. - `temporary`: never.
 *
 * These are Erlang's words.
 */
export type Restart = "permanent" | "transient" | "temporary"

/** What the platform gives, and the runner of an application provides. */
export type Platform = Processes | Reactor | Signals | Threads | Timers

/** What every service has, whatever it is made of. */
export interface Common {
  /** Unique among its siblings; no `/`, not empty. It never changes (Twisted refuses to rename a service that has a parent). */
  readonly name: string
  /** One line for people. Default: none. */
  readonly description?: string | undefined
  /**
   * Siblings it depends on, by name: they have started before it does, and it stops before they do, also when one of them
   * is restarted. Cycles are refused.
   */
  readonly after?: ReadonlyArray<string> | undefined
  /** Default `transient`. */
  readonly restart?: Restart | undefined
  /**
   * The delays before it is started again; told the cause each time; when it ends, the service has failed for good, and its
   * group with it. Default: 0.1 s, each twice the one before up to 30 seconds, with some chance in it.
   */
  readonly backoff?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** Having run for so long, it begins with the first delay again. Default 10 seconds. */
  readonly backoffResetAfter?: Duration.Input | undefined
  /** How long it may take to start, each phase and readiness. Default 90 seconds; of a group: as long as its services may. */
  readonly startTimeout?: Duration.Input | undefined
  /**
   * How long it may take to stop. Then it is reported and left behind, so that the others can stop; it is not started again
   * before it has ended. Default 90 seconds; of a group: as long as its services may.
   */
  readonly stopTimeout?: Duration.Input | undefined
}

/**
 * @typeParam Provides what services (Effect's) it gives to siblings that come after it
 * @typeParam E how it can fail, while it starts or runs
 * @typeParam R what it requires of whoever starts it
 */
export interface Service<in Provides = never, out E = never, out R = never> extends Any {
  readonly [TypeId]: {
    readonly _Provides: (_: Provides) => void
    readonly _E: (_: never) => E
    readonly _R: (_: never) => R
  }
}

/** Any service. In a constraint it lets the compiler infer a service's types from that service alone. */
export interface Any extends Common, Pipeable.Pipeable {
  readonly [TypeId]: unknown
  readonly description: string
  readonly after: ReadonlyArray<string>
  readonly restart: Restart
  /** What it is made of: one piece, or other services. */
  readonly body: Body
  /** Whether it gives services to later siblings: these are then restarted with it. */
  readonly provides: boolean
}

export const isService = (u: unknown): u is Any => typeof u === "object" && u !== null && TypeId in u

export interface Options<
  A,
  EA,
  RA,
  B,
  EB,
  RB,
  EC,
  RC,
  Provides,
  RReady,
  RLive,
  RReload,
  RDetails
> extends Common {
  /**
   * The first phase, while the process still has its privileges: binds ports. What it acquires survives restarts of the
   * service, and is released when it stops.
   *
   * For `start` to know the type of what it gives, write it with `Effect.gen` or `.pipe(...)`: TypeScript does not look into a
   * call like `Effect.map(effect, f)` here.
   */
  readonly privileged?: Effect.Effect<A, EA, RA> | undefined
  /** The second phase. What it acquires is released when the service stops or restarts. */
  readonly start?: ((bound: A) => Effect.Effect<B, EB, RB>) | undefined
  /**
   * What it does while it runs. Its failure is the service's failure; its end is the service's end. It is interrupted to stop.
   * Without it, the service runs until it is stopped.
   */
  readonly run?: ((started: NoInfer<B>) => Effect.Effect<unknown, EC, RC>) | undefined
  /** What it gives to siblings that come after it. */
  readonly provides?: ((started: NoInfer<B>) => Context.Context<Provides>) | undefined
  /**
   * Whether it is ready for work. Until the first yes it is `Starting`, and what comes after it waits; later a no shows in its
   * state (`ready: false`) and has no other effect.
   */
  readonly ready?: ServiceProbe.Input<NoInfer<B>, unknown, RReady> | undefined
  /** Whether it still lives. A no is a failure of the service. */
  readonly live?: ServiceProbe.Input<NoInfer<B>, unknown, RLive> | undefined
  /** Takes a new configuration over, without a restart: on SIGHUP, `spindle reload`. */
  readonly reload?: ((started: NoInfer<B>) => Effect.Effect<unknown, unknown, RReload>) | undefined
  /** What `spindle status` tells of it, beside its state: plain JSON. It is given 1 second, and interrupted when the service is stopped. */
  readonly details?: ((started: NoInfer<B>) => Effect.Effect<unknown, unknown, RDetails>) | undefined
}

/**
 * A service from its phases. Write them in their order (`privileged`, `start`, `run`, ...): the type of what one gives to the
 * next is then inferred. Whatever it requires and does not get from earlier siblings, whoever starts the tree owes.
 *
 * What user code throws is a failure of the service, and never of its tree.
 */
export const make = <
  A = void,
  EA = never,
  RA extends Platform | Scope.Scope = never,
  B = A,
  EB = never,
  RB = never,
  EC = never,
  RC = never,
  Provides = never,
  RReady = never,
  RLive = never,
  RReload = never,
  RDetails = never
>(
  options: Options<A, EA, RA, B, EB, RB, EC, RC, Provides, RReady, RLive, RReload, RDetails>
): Service<
  Provides,
  EA | EB | EC,
  Exclude<RA | RB | RC | RReady | RLive | RReload | RDetails, Scope.Scope>
> => fromBody(options, ServiceBody.piece(options), options.provides !== undefined)

export interface LayerOptions<Out, RReady, RLive, RReload, RDetails> extends Common {
  readonly ready?: ServiceProbe.Input<Context.Context<Out>, unknown, RReady> | undefined
  readonly live?: ServiceProbe.Input<Context.Context<Out>, unknown, RLive> | undefined
  readonly reload?: ((services: Context.Context<Out>) => Effect.Effect<unknown, unknown, RReload>) | undefined
  readonly details?:
    | ((services: Context.Context<Out>) => Effect.Effect<unknown, unknown, RDetails>)
    | undefined
}

/**
 * A layer as a service: built in the second phase, its services given to later siblings. When it is restarted it is built anew,
 * and what came after it is restarted with it.
 */
export const layer = <Out, E, In, RReady = never, RLive = never, RReload = never, RDetails = never>(
  source: Layer.Layer<Out, E, In>,
  options: LayerOptions<Out, RReady, RLive, RReload, RDetails>
): Service<Out, E, In | Exclude<RReady | RLive | RReload | RDetails, Scope.Scope>> =>
  fromBody(
    options,
    ServiceBody.piece({
      ...options,
      start: () => Layer.build(source),
      provides: (services: Context.Context<Out>) => services
    }),
    true
  )

/** @internal A service from what it is made of. */
export const fromBody = <Provides, E, R>(
  common: Common,
  body: Body,
  provides: boolean
): Service<Provides, E, R> =>
  ServiceBody.seal({
    [TypeId]: ServiceBody.variance,
    name: common.name,
    description: common.description ?? "",
    after: Object.freeze([...(common.after ?? [])]),
    restart: common.restart ?? "transient",
    backoff: common.backoff,
    backoffResetAfter: common.backoffResetAfter,
    startTimeout: common.startTimeout,
    stopTimeout: common.stopTimeout,
    body,
    provides
  }) as unknown as Service<Provides, E, R>
