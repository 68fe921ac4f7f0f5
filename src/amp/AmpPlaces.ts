/** The places at which the peer's commands are worked on: when reading waits for one, and what is kept meanwhile. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { until } from "../reactor/Waiters.ts"

export interface Host {
  /** Whether answers of the peer must be read, whatever else waits. */
  readonly mustRead: () => boolean
  /** Told when a handler broke while it was interrupted. */
  readonly broken: (cause: Cause.Cause<never>) => Effect.Effect<void>
}

export interface Limits {
  /** Worked on at once. */
  readonly placesMax: number
  /** Kept besides, while answers of the peer must be read. */
  readonly queuedMax: number
  /** Kept besides of a peer that gives calls up, so that this is read even if no place is free. */
  readonly aheadMax: number
  readonly aheadBytesMax: number
}

/** What is to be done on behalf of one box. */
export interface Work<R> {
  readonly run: Effect.Effect<void, never, R>
  /** Of the box it came with. Asked only when it is kept. */
  readonly bytes: () => number
}

export class AmpPlaces<R> {
  private readonly mustRead: () => boolean
  private readonly broken: (cause: Cause.Cause<never>) => Effect.Effect<void>
  private readonly limits: Limits
  private readonly scope: Scope.Scope
  private active = 0
  private readonly queue: Array<Work<R>> = []
  private queuedBytes = 0
  private isOver = false
  private readonly roomWaiters = new Set<(effect: Effect.Effect<void>) => void>()
  private readonly idleWaiters = new Set<(effect: Effect.Effect<void>) => void>()
  /** The peer gives calls up that it does not wait for any more: what it says is read ahead. */
  readsAhead = false

  constructor(host: Host, limits: Limits, scope: Scope.Scope) {
    this.mustRead = host.mustRead
    this.broken = host.broken
    this.limits = limits
    this.scope = scope
  }

  /** Waits until nothing is worked on. */
  readonly idle: Effect.Effect<void> = until(
    () => (this.active === 0 ? Effect.void : undefined),
    () => this.idleWaiters
  )

  /** Waits until a further command can be taken, or must be kept. */
  private readonly room: Effect.Effect<void> = until(
    () => (this.hasRoom ? Effect.void : undefined),
    () => this.roomWaiters
  )

  /** Answers must be read from now on. */
  readonly wake = (): void => {
    // Each looks again for itself; a set may shrink while it is walked.
    for (const resume of this.roomWaiters) {
      this.roomWaiters.delete(resume)
      resume(Effect.void)
    }
  }

  /** Nothing of what waits is begun any more. */
  stop(): void {
    this.isOver = true
    this.queue.length = 0
  }

  /** Takes the work on a box, and gives back what has to be done before the next one. False when there is too much. */
  take(work: Work<R>): Effect.Effect<void, never, R> | false {
    if (this.active < this.limits.placesMax) return this.begin(work)
    if (this.mustRead()) {
      if (this.queue.length >= this.limits.queuedMax) return false
      return this.keep(work)
    }
    if (this.isRoomAhead) return this.keep(work)
    return Effect.andThen(
      this.room,
      Effect.suspend(() => (this.active < this.limits.placesMax ? this.begin(work) : this.keep(work)))
    )
  }

  private get hasRoom(): boolean {
    return this.active < this.limits.placesMax || this.mustRead() || this.isRoomAhead
  }

  private get isRoomAhead(): boolean {
    return (
      this.readsAhead &&
      this.queue.length < this.limits.aheadMax &&
      this.queuedBytes < this.limits.aheadBytesMax
    )
  }

  private keep(work: Work<R>): Effect.Effect<void> {
    this.queue.push(work)
    this.queuedBytes += work.bytes()
    return Effect.void
  }

  private kept(): Work<R> | undefined {
    const work = this.queue.shift()
    if (work !== undefined) {
      this.queuedBytes -= work.bytes()
      if (this.roomWaiters.size > 0 && this.hasRoom) this.wake()
    }
    return work
  }

  /** Takes the place in the worker's first operation: whoever is interrupted while he begins it has taken none. */
  private begin(work: Work<R>): Effect.Effect<void, never, R> {
    return this.fork(
      Effect.suspend(() => {
        // It was free an operation ago.
        if (this.active >= this.limits.placesMax) return this.keep(work)
        this.active++
        return this.worker(work)
      })
    )
  }

  private fork(worker: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> {
    return Effect.asVoid(Effect.forkIn(worker, this.scope, { startImmediately: true }))
  }

  /** Works on one command, and then on those that waited. */
  private worker(first: Work<R>): Effect.Effect<void, never, R> {
    let work: Work<R> | undefined = first
    return Effect.onExit(
      Effect.whileLoop({
        while: () => work !== undefined,
        body: () => work!.run,
        step: () => {
          work = this.kept()
        }
      }),
      (exit) => {
        if (Exit.isSuccess(exit)) return this.leave
        // A command that was given up ends its worker. Those behind it may have been given up in the same breath: they are not begun first.
        const leave = this.queue.length > 0 ? Effect.andThen(Effect.yieldNow, this.leave) : this.leave
        return Cause.hasDies(exit.cause) ? Effect.andThen(this.broken(exit.cause), leave) : leave
      }
    )
  }

  private readonly leave: Effect.Effect<void, never, R> = Effect.suspend(() => {
    // It came after the last look at the queue, and found this worker still there: it has its place.
    const next = this.isOver ? undefined : this.kept()
    if (next !== undefined) return this.fork(this.worker(next))
    this.active--
    this.wake()
    if (this.active > 0) return Effect.void
    for (const resume of this.idleWaiters) resume(Effect.void)
    this.idleWaiters.clear()
    return Effect.void
  })
}
