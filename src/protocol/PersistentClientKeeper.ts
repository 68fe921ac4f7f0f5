import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { uptimeMillis } from "../reactor/uptime.ts"
import * as ClientReason from "./ClientReason.ts"
import { PersistentClientError } from "./PersistentClientError.ts"
import type { Failure, State } from "./PersistentClientState.ts"

/** What to keep, and how; nothing is left to require but the scope of one connection. */
export interface Plan<A, E> {
  /** The endpoint's description. */
  readonly endpoint: string
  readonly connect: Effect.Effect<Transport, ConnectError, Scope.Scope>
  readonly prepare: (transport: Transport) => Effect.Effect<A, E, Scope.Scope>
  readonly schedule: Schedule.Schedule<unknown, Cause.Cause<Failure<E>>>
  readonly isFatal: (failure: Failure<E>) => boolean
  readonly resetAfter: Duration.Duration
  readonly drainTimeout: Duration.Duration
}

interface Waiter<A, E> {
  failuresLeft: number
  readonly resume: (result: Effect.Effect<A, Failure<E>>) => void
}

interface Made<A> {
  readonly client: A
  /** Ends when the connection is gone. */
  readonly watch: Fiber.Fiber<void, TransportError>
}

type Step<E> = (
  now: number,
  failure: Cause.Cause<Failure<E>>
) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

const now = { startImmediately: true } as const

/**
 * Keeps one connection. One fiber makes, watches and closes the connections, one after another. It is never
 * interrupted, so that finalizers may wait with timeouts: that it shall stop it hears in every state.
 */
export class Keeper<A, E> {
  private readonly plan: Plan<A, E>
  private readonly state: SubscriptionRef.SubscriptionRef<State<A, E>>
  private readonly clock: Clock.Clock

  private current: State<A, E>
  /** The client, while its connection is not known to be gone. */
  private live: Exit.Exit<A> | undefined = undefined
  private readonly waiters = new Set<Waiter<A, E>>()
  private uses = 0
  private readonly unused = Latch.makeUnsafe(true)
  private skip: Deferred.Deferred<void> | undefined = undefined
  private readonly stopping = Deferred.makeUnsafe<void>()
  private readonly finished = Deferred.makeUnsafe<void>()

  constructor(plan: Plan<A, E>, state: SubscriptionRef.SubscriptionRef<State<A, E>>, clock: Clock.Clock) {
    this.plan = plan
    this.state = state
    this.clock = clock
    this.current = SubscriptionRef.getUnsafe(state)
  }

  // --- for its users ------------------------------------------------------------------------------------

  whenConnected(failuresMax: number): Effect.Effect<A, Failure<E>> {
    return Effect.suspend(() => {
      if (this.live !== undefined) return this.live
      if (this.current._tag === "Stopped") return this.stopped(this.current.failure)
      return Effect.callback<A, Failure<E>>((resume) => {
        const waiter: Waiter<A, E> = { failuresLeft: failuresMax, resume }
        this.waiters.add(waiter)
        return Effect.sync(() => {
          this.waiters.delete(waiter)
        })
      })
    })
  }

  use<B, E2, R>(
    f: (client: A) => Effect.Effect<B, E2, R>,
    failuresMax: number
  ): Effect.Effect<B, Failure<E> | E2, R> {
    return Effect.suspend(() => {
      this.uses++
      this.unused.closeUnsafe()
      return Effect.ensuring(Effect.flatMap(this.whenConnected(failuresMax), f), this.unuse)
    })
  }

  private readonly unuse: Effect.Effect<void> = Effect.sync(() => {
    if (--this.uses === 0) this.unused.openUnsafe()
  })

  readonly retryNow: Effect.Effect<void> = Effect.sync(() => {
    if (this.skip !== undefined) Deferred.doneUnsafe(this.skip, Effect.void)
  })

  /** No use begins any more; those under way have `drainTimeout`. Waits until nothing is left. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    if (Deferred.isDoneUnsafe(this.finished)) return Effect.void
    return Effect.andThen(Effect.forkDetach(this.drain, now), Deferred.await(this.finished))
  })

  private readonly drain: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const connected = this.current._tag === "Connected"
    yield* this.enter({ _tag: "Stopped", failure: undefined })
    if (connected && Duration.isPositive(this.plan.drainTimeout)) {
      const over = Effect.raceFirst(this.unused.await, Deferred.await(this.finished))
      yield* Effect.timeoutOption(over, this.plan.drainTimeout)
    }
    Deferred.doneUnsafe(this.stopping, Effect.void)
  })

  // --- its life -----------------------------------------------------------------------------------------

  private readonly keep = Effect.gen({ self: this }, function* () {
    let step: Step<E> | undefined
    let attempt = 1
    while (!this.isStopped) {
      yield* this.enter({ _tag: "Connecting", attempt })
      const scope = Scope.makeUnsafe()
      const made = yield* this.unlessStopped(Effect.exit(Scope.provide(this.attempt, scope)))
      let failure = made !== undefined && Exit.isFailure(made) ? made.cause : undefined
      if (made !== undefined && Exit.isSuccess(made)) {
        const begunAt = uptimeMillis(this.clock)
        failure = yield* this.hold(made.value)
        if (uptimeMillis(this.clock) - begunAt >= Duration.toMillis(this.plan.resetAfter)) {
          step = undefined
          attempt = 0
        }
      }
      attempt++
      let delay: number | undefined
      if (failure !== undefined && !this.isStopped) {
        step ??= yield* Schedule.toStep(this.plan.schedule)
        delay = yield* this.nextDelay(step, failure)
      }
      const dueAt = uptimeMillis(this.clock) + (delay ?? 0)
      this.skip = Deferred.makeUnsafe<void>()
      yield* this.enter(
        delay === undefined || failure === undefined
          ? { _tag: "Stopped", failure }
          : { _tag: "Waiting", until: this.now + delay, failure, attempt }
      )
      if (made !== undefined && Exit.isFailure(made)) this.tellFailure(made.cause)
      yield* this.close(scope, failure)
      if (delay !== undefined) yield* this.waitUntil(dueAt, this.skip)
      this.skip = undefined
    }
  })

  readonly start: Effect.Effect<unknown> = Effect.forkDetach(
    Effect.ensuring(
      this.keep,
      Effect.sync(() => Deferred.doneUnsafe(this.finished, Effect.void))
    ),
    now
  )

  /** One connection, prepared. */
  private readonly attempt: Effect.Effect<Made<A>, Failure<E>, Scope.Scope> = Effect.gen(
    { self: this },
    function* () {
      const transport = yield* this.plan.connect
      const client = yield* this.plan.prepare(transport)
      // Closing the connection ends it, too.
      // Nothing else is in that fiber: whoever watches it hears in the very step that ends it.
      const watch = yield* Effect.forkDetach(transport.gone, now)
      const gone = watch.pollUnsafe()
      if (gone !== undefined) return yield* Effect.fail(this.lost(gone))
      return { client, watch }
    }
  )

  /** Has users use it until it is gone, and says why; `undefined` when it shall stop first. */
  private hold({ client, watch }: Made<A>): Effect.Effect<Cause.Cause<Failure<E>> | undefined> {
    // Before anybody else hears of it: nobody is given a client whose connection is known to be gone.
    watch.addObserver(() => {
      this.live = undefined
    })
    if (!this.isStopped) this.live = Exit.succeed(client)
    return this.enter({ _tag: "Connected", client, since: this.now }).pipe(
      Effect.andThen(this.unlessStopped(Fiber.await(watch))),
      Effect.map((gone) => {
        this.live = undefined
        return gone === undefined ? undefined : Cause.fail(this.lost(gone))
      })
    )
  }

  /** In how many milliseconds to try again; `undefined` for never. */
  private nextDelay(step: Step<E>, failure: Cause.Cause<Failure<E>>): Effect.Effect<number | undefined> {
    return Effect.gen({ self: this }, function* () {
      const { isFatal } = this.plan
      if (Cause.hasDies(failure)) yield* this.report(failure)
      const isOver = failure.reasons.some((reason) => reason._tag === "Fail" && isFatal(reason.error))
      const next = isOver ? undefined : yield* Pull.catchDone(step(this.now, failure), () => Effect.undefined)
      if (next === undefined) {
        yield* Effect.logDebug(`no connection to ${this.plan.endpoint}, given up`, failure)
        return undefined
      }
      const [, delay] = next
      yield* Effect.logDebug(
        `no connection to ${this.plan.endpoint}, next attempt in ${Duration.format(delay)}`,
        failure
      )
      return Duration.toMillis(delay)
    }).pipe(
      // The schedule's or the predicate's fault.
      Effect.catchCause((cause) => Effect.as(this.report(cause), undefined))
    )
  }

  private waitUntil(dueAt: number, skip: Deferred.Deferred<void>): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const delay = Effect.sleep(Math.max(0, dueAt - uptimeMillis(this.clock)))
      return this.unlessStopped(Effect.raceFirst(delay, Deferred.await(skip)))
    })
  }

  private close(scope: Scope.Closeable, failure: Cause.Cause<Failure<E>> | undefined): Effect.Effect<void> {
    const exit = failure === undefined ? Exit.void : Exit.failCause(failure)
    return Effect.catchCause(Scope.close(scope, exit), (cause) => this.report(cause))
  }

  private report(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return UnhandledFailure.report({
      cause,
      place: `client of ${this.plan.endpoint}`,
      peer: undefined
    })
  }

  /** `undefined` when it shall stop, with the effect interrupted. */
  private unlessStopped<B>(effect: Effect.Effect<B>): Effect.Effect<B | undefined> {
    return Effect.raceFirst(effect, Effect.as(Deferred.await(this.stopping), undefined))
  }

  private get isStopped(): boolean {
    return this.current._tag === "Stopped"
  }

  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  // --- its state ----------------------------------------------------------------------------------------

  /** Nothing comes after `Stopped`. */
  private enter(state: State<A, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isStopped) return Effect.void
      this.current = state
      if (state._tag === "Stopped") this.live = undefined
      const result = state._tag === "Stopped" ? this.stopped(state.failure) : this.live
      if (result !== undefined) this.wake([...this.waiters], result)
      // Not `state`: a fiber that was woken may have brought it further.
      return SubscriptionRef.update(this.state, () => this.current)
    })
  }

  /** An attempt failed: those hear of it who wanted to wait for no more. */
  private tellFailure(failure: Cause.Cause<Failure<E>>): void {
    const told: Array<Waiter<A, E>> = []
    for (const waiter of this.waiters) if (--waiter.failuresLeft <= 0) told.push(waiter)
    this.wake(told, Effect.failCause(failure))
  }

  private wake(waiters: ReadonlyArray<Waiter<A, E>>, result: Effect.Effect<A, Failure<E>>): void {
    for (const waiter of waiters) this.waiters.delete(waiter)
    for (const waiter of waiters) waiter.resume(result)
  }

  private stopped(failure: Cause.Cause<Failure<E>> | undefined): Effect.Effect<never, Failure<E>> {
    if (failure !== undefined) return Effect.failCause(failure)
    const reason = new ClientReason.Stopped({ detail: "the client was stopped" })
    return Effect.fail(new PersistentClientError({ endpoint: this.plan.endpoint, reason }))
  }

  private lost(gone: Exit.Exit<void, TransportError>): PersistentClientError {
    const reason = ClientReason.lost(gone)
    return new PersistentClientError({ endpoint: this.plan.endpoint, reason })
  }
}
