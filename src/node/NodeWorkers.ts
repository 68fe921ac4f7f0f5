/**
 * Several processes, or threads, that are one program: each runs the whole application, and all have the same ports. This process
 * runs nothing itself: it keeps the listening sockets, starts the workers, and starts another one when one ends.
 *
 * ```ts
 * const workers = yield* NodeWorkers.make({ count: 4 })
 * yield* workers.restart // one after the other; none is ended before the next one serves
 * yield* workers.failed  // completes when they end more often than they may
 * ```
 *
 * What a worker has to do is in `NodeHeir`.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { NodeHeir } from "./NodeHeir.ts"
import { startProcess, startThread } from "./NodeHeirLine.ts"
import { NodeListenerKeeper } from "./NodeListenerKeeper.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import * as ThreadFeeds from "./NodeThreadFeeds.ts"
import { NodeWorkerIntensity } from "./NodeWorkerIntensity.ts"
import { NodeWorkerSlot, type Options as SlotOptions } from "./NodeWorkerSlot.ts"
import type { WorkerStatus } from "./NodeWorkerStatus.ts"
import { WorkersError } from "./NodeWorkersError.ts"
import { type CommonOptions, limitsOf, type Options, type ThreadsOptions } from "./NodeWorkersOptions.ts"

export type { Command, Module } from "./NodeHeirLine.ts"
export type { Sharing } from "./NodeListenerKeeper.ts"
export type { State, WorkerStatus } from "./NodeWorkerStatus.ts"
export type { CommonOptions, Options, ThreadsOptions } from "./NodeWorkersOptions.ts"
export { WorkersError, type Why } from "./NodeWorkersError.ts"

export interface NodeWorkers {
  readonly status: Effect.Effect<ReadonlyArray<WorkerStatus>>
  /**
   * A rolling restart: for one slot after the other a new worker is started, and the old one drained when it serves. Fails at the first
   * that is not ready (`NotReplaced`); its old one stays.
   */
  readonly restart: Effect.Effect<void, WorkersError>
  /** All of them reload (`NodeHeir.onReload`). Fails with all that could not (`NotReloaded`). */
  readonly reload: Effect.Effect<void, WorkersError>
  /** Completes when workers have ended more often than they may (`IntensityExceeded`). Those left serve until `stop`. */
  readonly failed: Effect.Effect<never, WorkersError>
  /** Has all of them drain; what is not gone in time is killed. Idempotent. The end of the scope does the same. */
  readonly stop: Effect.Effect<void>
  /** The sockets: for `NodeSuccession.begin`. */
  readonly listeners: NodeListeners
}

/** Starts processes, and returns when all serve; in place of another process, when all are ready. Fails when one of them cannot start, and leaves none. */
export const make = (options: Options): Effect.Effect<NodeWorkers, WorkersError, Scope.Scope> => {
  const command = { detached: process.platform !== "win32", ...options.command }
  const keeper = new NodeListenerKeeper(options.heir, options.count, options.sharing ?? "auto")
  return supervised(options, keeper, {
    start: (events) => startProcess("worker", command, events),
    answer: (key, binding, { held, slot }) =>
      Effect.map(keeper.take(key, binding, slot), (socket) => ({
        ...socket,
        _tag: "Given",
        held,
        owned: false
      })),
    onFeed: ignore,
    onBegun: ignore,
    onLeaving: ignore
  })
}

/**
 * Starts threads, and returns as `make` does. This thread accepts, and spreads the TCP connections; datagrams are spread by the
 * system. UNIX sockets are refused. Needs Node 26.6. What a thread has not taken yet when it crashes is lost.
 */
export const makeThreads = (options: ThreadsOptions): Effect.Effect<NodeWorkers, WorkersError, Scope.Scope> =>
  Effect.suspend(() => {
    const obstacle = ThreadFeeds.obstacle()
    if (obstacle !== undefined) {
      return Effect.fail(new WorkersError({ reason: "Unsupported", slot: undefined, detail: obstacle }))
    }
    const keeper = new NodeListenerKeeper(options.heir, options.count, "one")
    const feeds = new ThreadFeeds.NodeThreadFeeds(keeper)
    keeper.onStepBack = () => feeds.stepBack()
    return Effect.andThen(
      Effect.addFinalizer(() => Effect.sync(() => feeds.close())),
      supervised(options, keeper, {
        start: (events) => startThread(options, events),
        answer: (key, binding, { host }) => feeds.answer(key, binding, host),
        onFeed: (host, message) => feeds.heard(host, message),
        onBegun: (host) => feeds.begun(host),
        onLeaving: (host) => feeds.leaving(host)
      })
    )
  })

type Kind = Pick<SlotOptions, "start" | "answer" | "onFeed" | "onBegun" | "onLeaving">

const supervised = Effect.fnUntraced(function* (
  options: CommonOptions,
  keeper: NodeListenerKeeper,
  kind: Kind
): Effect.fn.Return<NodeWorkers, WorkersError, Scope.Scope> {
  const workers = yield* Effect.acquireRelease(
    Effect.sync(() => new Workers(options, keeper, kind)),
    ({ stop }) => stop
  )
  yield* workers.start
  return workers
})

class Workers implements NodeWorkers {
  readonly listeners: NodeListeners
  private readonly keeper: NodeListenerKeeper
  private readonly slots: ReadonlyArray<NodeWorkerSlot>
  private readonly failure = Deferred.makeUnsafe<never, WorkersError>()
  private readonly stopping = Deferred.makeUnsafe<void>()
  private readonly stopped = Deferred.makeUnsafe<void>()
  private readonly rolling = Semaphore.makeUnsafe(1)
  private readonly intensity: NodeWorkerIntensity
  private readonly supervisors: Array<Fiber.Fiber<never>> = []
  private isStopping = false
  private readonly mayBegin: boolean

  constructor(options: CommonOptions, keeper: NodeListenerKeeper, kind: Kind) {
    const { count, heir, intensity } = options
    this.keeper = keeper
    this.listeners = keeper.listeners
    this.mayBegin = heir?.beginning.isNow ?? true
    this.intensity = new NodeWorkerIntensity(
      intensity?.restarts ?? 5 * count,
      Duration.toMillis(intensity?.period ?? "30 seconds")
    )
    const slotOptions: SlotOptions = {
      ...kind,
      ...limitsOf(options),
      mayBegin: heir === undefined ? Effect.void : begunOf(heir),
      hasBegun: () => heir?.beginning.isNow ?? true,
      onCrash: this.onCrash
    }
    this.slots = Array.from({ length: count }, (_, number) => new NodeWorkerSlot(number, slotOptions))
  }

  get start(): Effect.Effect<void, WorkersError> {
    const started = Effect.forEach(
      this.slots,
      (slot) =>
        Effect.mapError(
          slot.start,
          (detail) => new WorkersError({ reason: "NotStarted", slot: slot.number, detail })
        ),
      { concurrency: "unbounded", discard: true }
    )
    const supervise = Effect.forEach(this.slots, (slot) =>
      Effect.map(Effect.forkDetach(slot.supervise, { startImmediately: true }), (supervisor) => {
        this.supervisors.push(supervisor)
      })
    )
    // In place of another process they begin later.
    const begun = this.mayBegin ? Effect.forEach(this.slots, ({ serves }) => serves) : Effect.void
    return started.pipe(
      Effect.andThen(Effect.uninterruptible(supervise)),
      Effect.andThen(begun),
      Effect.onError(() => this.stop),
      Effect.asVoid
    )
  }

  readonly status: Effect.Effect<ReadonlyArray<WorkerStatus>> = Effect.sync(() =>
    this.slots.map(({ status }) => status)
  )

  readonly failed: Effect.Effect<never, WorkersError> = Effect.suspend(() => Deferred.await(this.failure))

  private readonly onCrash = (slot: number, detail: string): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      yield* Effect.annotateLogs(Effect.logWarning(`worker ${slot} has ended: ${detail}`), { worker: slot })
      if (!this.intensity.exceeds(Number(yield* Clock.monotonicTimeNanos) / 1e6)) return
      const error = new WorkersError({
        reason: "IntensityExceeded",
        slot,
        detail: `it has ended once more than workers may (${this.intensity.limit}): ${detail}`
      })
      Deferred.doneUnsafe(this.failure, Effect.fail(error))
      return yield* Effect.never
    })

  /** Fails when they are stopped, or have failed: nobody gets his turn any more then. */
  private readonly over: Effect.Effect<never, WorkersError> = Effect.suspend(() =>
    Effect.raceFirst(Effect.exit(this.failed), Deferred.await(this.stopping))
  ).pipe(
    Effect.andThen(
      Effect.fail(new WorkersError({ reason: "Stopped", slot: undefined, detail: "they are stopped" }))
    )
  )

  readonly restart: Effect.Effect<void, WorkersError> = Effect.suspend(() =>
    this.rolling.withPermit(
      Effect.forEach(
        this.slots,
        (slot) =>
          Effect.mapError(
            slot.replace,
            (detail) => new WorkersError({ reason: "NotReplaced", slot: slot.number, detail })
          ),
        { discard: true }
      )
    )
  ).pipe((rolled) => Effect.raceFirst(this.over, rolled))

  readonly reload: Effect.Effect<void, WorkersError> = Effect.gen({ self: this }, function* () {
    const answers = yield* Effect.forEach(
      this.slots,
      (slot) => Effect.map(slot.reload, (detail) => ({ number: slot.number, detail })),
      { concurrency: "unbounded" }
    )
    const failures = answers.filter(({ detail }) => detail !== undefined)
    if (failures.length === 0) return
    return yield* new WorkersError({
      reason: "NotReloaded",
      slot: failures.length === 1 ? failures[0]!.number : undefined,
      detail: [...new Set(failures.map(({ detail }) => detail))].join("; ")
    })
  }).pipe((reloaded) => Effect.raceFirst(this.over, reloaded))

  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    if (this.isStopping) return Deferred.await(this.stopped)
    this.isStopping = true
    Deferred.doneUnsafe(this.stopping, Effect.void)
    return Effect.uninterruptible(
      Fiber.interruptAll(this.supervisors).pipe(
        Effect.andThen(
          Effect.forEach(this.slots, (slot) => slot.stop, { concurrency: "unbounded", discard: true })
        ),
        Effect.ensuring(this.keeper.close),
        Effect.ensuring(Deferred.succeed(this.stopped, undefined))
      )
    )
  })
}

const begunOf = ({ beginning }: NodeHeir): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const prevent = beginning.when(() => resume(Effect.void))
    return Effect.sync(prevent)
  })

const ignore = () => {}
