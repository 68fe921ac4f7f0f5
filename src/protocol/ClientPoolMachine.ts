import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { Alarm } from "./ClientPoolAlarm.ts"
import { ClientPoolError, type Failure } from "./ClientPoolError.ts"
import { type Counts, Member } from "./ClientPoolMember.ts"
import * as ClientReason from "./ClientReason.ts"
import { delayAfter } from "./PersistentClientRetry.ts"

/** What to pool, and how; durations in milliseconds. Nothing is left to require but the scope of one connection. */
export interface Plan<A, E> {
  /** The endpoint's description. */
  readonly endpoint: string
  readonly connect: Effect.Effect<Transport, ConnectError, Scope.Scope>
  readonly prepare: (transport: Transport) => Effect.Effect<A, E, Scope.Scope>
  readonly check: ((client: A) => Effect.Effect<unknown, unknown>) | undefined
  readonly reuse: (exit: Exit.Exit<unknown, unknown>) => boolean
  readonly connectionsMin: number
  readonly connectionsMax: number
  readonly waitersMax: number
  readonly acquireTimeout: number
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly checkAfter: number
  readonly checkTimeout: number
  readonly drainTimeout: number
}

interface Waiter<A, E> {
  readonly deadline: number
  readonly served: Deferred.Deferred<Member<A>, Failure<E>>
  /** What it was given, for the case that it was interrupted on its way out. */
  member: Member<A> | undefined
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Connections on one side, a queue of those who want one on the other. Everything happens in `pump`: it serves
 * the head of the queue as long as it can, and is called after each event that may have given it something to do.
 */
export class Machine<A, E> {
  private readonly plan: Plan<A, E>
  private readonly counts: SubscriptionRef.SubscriptionRef<Counts>
  private readonly clock: Clock.Clock
  private readonly run: <B, E2>(effect: Effect.Effect<B, E2>) => Fiber.Fiber<B, E2>
  private readonly alarm: Alarm

  /** The last used one is the last, and the first to be used again. */
  private readonly idle: Array<Member<A>> = []
  private readonly members = new Set<Member<A>>()
  private readonly waiters = new Set<Waiter<A, E>>()
  /** Connections being made, standing or closing: what `connectionsMax` bounds. */
  private slots = 0
  private connecting = 0
  private checking = 0
  private inUse = 0
  private pumping = false
  private publishing = false

  /** When, after a failure, the least number of connections is to be seen to again. */
  private refillAt = 0
  /** Attempts that failed in a row. */
  private failures = 0
  private lastFailure: unknown = undefined

  private stopped = false
  private readonly stopping = Deferred.makeUnsafe<void>()
  private readonly unused = Latch.makeUnsafe(true)
  private readonly empty = Latch.makeUnsafe(true)
  private readonly finished = Deferred.makeUnsafe<void>()

  constructor(
    plan: Plan<A, E>,
    counts: SubscriptionRef.SubscriptionRef<Counts>,
    context: Context.Context<never>
  ) {
    this.plan = plan
    this.counts = counts
    this.clock = Context.get(context, Clock.Clock)
    this.run = Effect.runForkWith(context)
    this.alarm = new Alarm(
      this.run,
      () => this.now,
      () => this.onAlarm()
    )
  }

  /** Milliseconds that no change of the wall clock touches. */
  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  }

  // --- for its users ------------------------------------------------------------------------------------

  use<B, E2, R>(f: (client: A) => Effect.Effect<B, E2, R>): Effect.Effect<B, Failure<E> | E2, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.acquire(restore), (member) =>
        Effect.onExit(restore(Effect.suspend(() => f(member.client))), (exit) => this.release(member, exit))
      )
    )
  }

  readonly get: Effect.Effect<A, Failure<E>, Scope.Scope> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.flatMap(this.acquire(restore), (member) =>
        Effect.as(
          Scope.addFinalizerExit(scope, (exit) => this.release(member, exit)),
          member.client
        )
      )
    )
  )

  private acquire(restore: Restore): Effect.Effect<Member<A>, Failure<E>> {
    return Effect.suspend(() => {
      if (this.stopped) return Effect.fail(this.error(stopped()))
      const ready = this.waiters.size === 0 ? this.takeReady() : undefined
      if (ready !== undefined) {
        this.lend(ready)
        this.publish()
        return Effect.succeed(ready)
      }
      const waiter: Waiter<A, E> = {
        deadline: this.now + this.plan.acquireTimeout,
        served: Deferred.makeUnsafe(),
        member: undefined
      }
      this.waiters.add(waiter)
      this.pump()
      if (waiter.member !== undefined) return Effect.succeed(waiter.member)
      if (this.waiters.size - this.supply > this.plan.waitersMax) {
        this.waiters.delete(waiter)
        return Effect.fail(this.error(queueFull(this.plan.waitersMax)))
      }
      this.alarm.set(waiter.deadline)
      return Effect.onError(restore(Deferred.await(waiter.served)), () =>
        Effect.sync(() => {
          this.waiters.delete(waiter)
          if (waiter.member !== undefined) this.takeBack(waiter.member, Exit.void)
          this.publish()
        })
      )
    })
  }

  /** Connections that come, or could, without anybody giving one back. */
  private get supply(): number {
    const possible = this.idle.length + this.plan.connectionsMax - this.slots
    return this.connecting + this.checking + possible
  }

  private release(member: Member<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.sync(() => this.takeBack(member, exit))
  }

  private takeBack(member: Member<A>, exit: Exit.Exit<unknown, unknown>): void {
    if (--this.inUse === 0) this.unused.openUnsafe()
    if (this.isReusable(exit)) this.keep(member)
    else this.discard(member)
    this.pump()
  }

  private isReusable(exit: Exit.Exit<unknown, unknown>): boolean {
    try {
      return this.plan.reuse(exit)
    } catch (defect) {
      this.run(this.report(Cause.die(defect)))
      return false
    }
  }

  // --- who gets what ------------------------------------------------------------------------------------

  private pump(): void {
    // Whoever is served runs at once, and may come back here: the loop below goes on with what it left.
    if (this.pumping) return
    this.pumping = true
    while (!this.stopped && this.serveOne()) {}
    this.pumping = false
    while (!this.stopped && this.slots < this.plan.connectionsMin && this.refillAt <= this.now) this.open()
    this.publish()
  }

  /** False when nothing can be done for the queue now. */
  private serveOne(): boolean {
    const [waiter] = this.waiters
    if (waiter === undefined) return false
    const ready = this.takeReady()
    if (ready !== undefined) {
      this.waiters.delete(waiter)
      waiter.member = this.lend(ready)
      Deferred.doneUnsafe(waiter.served, Effect.succeed(ready))
      return true
    }
    // As many as wait are looked after already.
    if (this.waiters.size <= this.connecting + this.checking) return false
    const unsure = this.idle.pop()
    if (unsure !== undefined) this.examine(unsure)
    else if (this.slots < this.plan.connectionsMax) this.open()
    else return false
    return true
  }

  /** The connection used last, if nothing speaks against it. */
  private takeReady(): Member<A> | undefined {
    const now = this.now
    let member = this.idle.at(-1)
    while (member !== undefined && (member.isGone || this.isTooOld(member, now))) {
      this.discard(member)
      member = this.idle.at(-1)
    }
    if (member === undefined) return undefined
    if (this.plan.check !== undefined && now - member.usedAt > this.plan.checkAfter) return undefined
    this.idle.pop()
    return member
  }

  private lend(member: Member<A>): Member<A> {
    member.use = "InUse"
    this.inUse++
    this.unused.closeUnsafe()
    return member
  }

  private refuse(waiter: Waiter<A, E>, failure: Cause.Cause<Failure<E>>): void {
    this.waiters.delete(waiter)
    Deferred.doneUnsafe(waiter.served, Effect.failCause(failure))
  }

  private keep(member: Member<A>): void {
    if (this.stopped || member.isGone) return this.discard(member)
    member.use = "Idle"
    member.usedAt = this.now
    this.idle.push(member)
    this.alarm.set(Math.min(member.usedAt + this.plan.idleTimeout, member.madeAt + this.plan.maxLifetime))
  }

  private isTooOld(member: Member<A>, now: number): boolean {
    return now - member.madeAt >= this.plan.maxLifetime
  }

  // --- a connection -------------------------------------------------------------------------------------

  private open(): void {
    this.slots++
    this.connecting++
    this.empty.closeUnsafe()
    this.run(this.opening)
  }

  private readonly opening: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    // Also an endpoint that fails at once takes a turn: who tries again at once does not stop the world.
    yield* Effect.yieldNow
    const scope = Scope.makeUnsafe()
    const made = yield* this.unlessStopped(Effect.exit(Scope.provide(this.attempt(scope), scope)))
    this.connecting--
    if (made !== undefined && Exit.isSuccess(made) && !this.stopped) {
      this.refillAt = 0
      this.failures = 0
      this.lastFailure = undefined
      this.join(made.value)
      return this.pump()
    }
    if (made !== undefined && Exit.isFailure(made)) {
      this.lastFailure = Cause.squash(made.cause)
      yield* this.postponeRefill
      const [waiter] = this.waiters
      if (waiter !== undefined) this.refuse(waiter, made.cause)
      else if (Cause.hasDies(made.cause)) yield* this.report(made.cause)
    }
    yield* this.close(scope)
  })

  private attempt(scope: Scope.Closeable): Effect.Effect<Member<A>, Failure<E>, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const transport = yield* this.plan.connect
      const client = yield* this.plan.prepare(transport)
      // Closing the connection ends it, too.
      const watch = this.run(transport.gone)
      const gone = watch.pollUnsafe()
      if (gone === undefined) return new Member(client, scope, watch, this.now)
      return yield* Effect.fail(this.error(ClientReason.lost(gone)))
    })
  }

  private join(member: Member<A>): void {
    this.members.add(member)
    this.keep(member)
    member.watch.addObserver(() => {
      if (member.use !== "Idle") return
      this.discard(member)
      this.pump()
    })
  }

  /** Sees whether a connection still serves, for whoever is first in the queue when that is known. */
  private examine(member: Member<A>): void {
    member.use = "Checking"
    this.checking++
    const { check = () => Effect.void } = this.plan
    const checked = Effect.timeoutOption(
      Effect.suspend(() => check(member.client)),
      this.plan.checkTimeout
    )
    this.run(this.unlessStopped(Effect.exit(checked))).addObserver((exit) => {
      this.checking--
      const result = Exit.isSuccess(exit) ? exit.value : undefined
      const serves =
        result !== undefined &&
        Exit.isSuccess(result) &&
        result.value._tag === "Some" &&
        result.value.value !== false
      if (result !== undefined && Exit.isFailure(result) && Cause.hasDies(result.cause)) {
        this.run(this.report(result.cause))
      }
      if (serves) this.keep(member)
      else this.discard(member)
      this.pump()
    })
  }

  /** Closes a connection for good. Its slot is free when nothing is left of it. */
  private discard(member: Member<A>): void {
    if (member.use === "Closing") return
    if (member.use === "Idle") {
      const at = this.idle.lastIndexOf(member)
      if (at >= 0) this.idle.splice(at, 1)
    }
    member.use = "Closing"
    this.members.delete(member)
    this.run(this.close(member.scope))
  }

  private close(scope: Scope.Closeable): Effect.Effect<void> {
    return Scope.close(scope, Exit.void).pipe(
      Effect.catchCause((cause) => this.report(cause)),
      Effect.andThen(
        Effect.sync(() => {
          if (--this.slots === 0) this.empty.openUnsafe()
          this.pump()
        })
      )
    )
  }

  private readonly postponeRefill: Effect.Effect<void> = Effect.suspend(() => {
    if (this.plan.connectionsMin === 0) return Effect.void
    return Effect.map(delayAfter(++this.failures), (delay) => {
      this.refillAt = this.now + delay
      this.alarm.set(this.refillAt)
    })
  })

  // --- time ---------------------------------------------------------------------------------------------

  private onAlarm(): void {
    const now = this.now
    // Those of now: who is refused may come again at once.
    for (const waiter of Array.from(this.waiters)) {
      if (waiter.deadline > now) break
      this.refuse(waiter, Cause.fail(this.error(acquireTimedOut(this.plan.acquireTimeout, this.lastFailure))))
    }
    for (const member of this.idle.slice()) {
      const spare = this.members.size > this.plan.connectionsMin
      const expired = spare && now - member.usedAt >= this.plan.idleTimeout
      if (expired || this.isTooOld(member, now)) this.discard(member)
    }
    this.pump()
    for (const at of this.deadlines()) this.alarm.set(at)
  }

  private *deadlines(): Generator<number> {
    for (const { deadline } of this.waiters) {
      yield deadline
      break
    }
    const spare = this.members.size > this.plan.connectionsMin
    for (const member of this.idle) {
      yield member.madeAt + this.plan.maxLifetime
      if (spare) yield member.usedAt + this.plan.idleTimeout
    }
    if (this.slots < this.plan.connectionsMin) yield this.refillAt
  }

  // --- its life -----------------------------------------------------------------------------------------

  start(): void {
    this.pump()
  }

  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.stopped) {
      this.stopped = true
      this.run(Deferred.into(this.drain, this.finished))
    }
    return Deferred.await(this.finished)
  })

  private readonly drain: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    this.alarm.stop()
    Deferred.doneUnsafe(this.stopping, Effect.void)
    for (const waiter of this.waiters) this.refuse(waiter, Cause.fail(this.error(stopped())))
    for (const member of this.idle.splice(0)) this.discard(member)
    if (this.plan.drainTimeout > 0) yield* Effect.timeoutOption(this.unused.await, this.plan.drainTimeout)
    for (const member of this.members) this.discard(member)
    yield* this.empty.await
    yield* this.publishNow
  })

  /** `undefined` when it shall stop, with the effect interrupted. */
  private unlessStopped<B>(effect: Effect.Effect<B>): Effect.Effect<B | undefined> {
    return Effect.raceFirst(effect, Effect.as(Deferred.await(this.stopping), undefined))
  }

  // --- what it tells ------------------------------------------------------------------------------------

  /** At most one update a turn. */
  private publish(): void {
    if (this.publishing) return
    this.publishing = true
    this.run(Effect.andThen(Effect.yieldNow, this.publishNow))
  }

  private readonly publishNow: Effect.Effect<void> = Effect.suspend(() => {
    this.publishing = false
    return SubscriptionRef.set(this.counts, {
      open: this.members.size,
      idle: this.idle.length,
      inUse: this.inUse,
      connecting: this.connecting,
      waiting: this.waiters.size
    })
  })

  private report(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return UnhandledFailure.report({ cause, place: `pool of ${this.plan.endpoint}`, peer: undefined })
  }

  private error(reason: ClientPoolError["reason"]): ClientPoolError {
    return new ClientPoolError({ endpoint: this.plan.endpoint, reason })
  }
}

const stopped = () => new ClientReason.Stopped({ detail: "the pool was stopped" })

const queueFull = (waitersMax: number) =>
  new ClientReason.QueueFull({ detail: `${waitersMax} wait for one already, the limit` })

const acquireTimedOut = (millis: number, cause: unknown) =>
  new ClientReason.AcquireTimedOut({
    detail: `none was free within ${Duration.format(Duration.millis(millis))}`,
    cause
  })
