/** A service in a running tree, as the tree sees it. */
import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as PubSub from "effect/PubSub"
import type * as Pull from "effect/Pull"
import * as Semaphore from "effect/Semaphore"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { Failure } from "../result/Failure.ts"
import type { Any } from "./Service.ts"
import type { ServiceError } from "./ServiceError.ts"
import type { Window } from "./ServiceIntensity.ts"
import type { Binding, Life, Retry } from "./ServiceLife.ts"
import type { ServiceNode } from "./ServiceNode.ts"
import { ServicePlace } from "./ServicePlace.ts"
import type { ServiceState } from "./ServiceState.ts"

/** What all services of a tree have in common. */
export interface Tree {
  /** Of who made the tree: everything in it runs in this. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  /** The turn of what is done to the root itself. */
  readonly turn: Semaphore.Semaphore
  readonly failed: Deferred.Deferred<never, ServiceError>
  /** Its scope has ended: nothing starts any more. */
  closed: boolean
  /** A service has ended, or failed, by itself. */
  readonly fallen: (member: Member, life: Life, failure: Failure<unknown> | undefined) => Effect.Effect<void>
}

/** The delay before the next try. */
export type Step = (
  now: number,
  cause: Cause.Cause<unknown>
) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

export class Member extends ServicePlace<Member> {
  readonly tree: Tree
  readonly state: SubscriptionRef.SubscriptionRef<ServiceState>
  /** What who added it gave it. */
  readonly extra: Context.Context<never> | undefined
  node!: ServiceNode

  // What is wished of it.
  /** Nobody stopped it by hand. */
  enabled = true
  /** It came to an end that is not followed by a restart. */
  ended = false
  /** It waits for its next try. */
  retry: Retry | undefined
  /** It was stopped because of this one, by their group's strategy, and starts when this one has. */
  heldBy: Member | undefined
  removed = false

  // What it is.
  binding: Binding | undefined
  life: Life | undefined
  failure: Failure<unknown> | undefined
  /** What did not stop in time. */
  readonly leftBehind = new Set<Fiber.Fiber<unknown, unknown>>()
  /** User code that a start, or a reload, waits for. */
  starting: Fiber.Fiber<unknown, unknown> | undefined
  /** Those who want to stop it, and wait for their turn: starts are cut short. */
  cancels = 0
  step: Step | undefined
  /** Restarts since it last ran for `backoffResetAfter`. */
  restarts = 0
  restartsTotal = 0
  /** Monotonic milliseconds. */
  runningSince = 0

  // Of a group.
  readonly turn = Semaphore.makeUnsafe(1)
  groupUp = false
  /** It has failed, and its parent will see to it. */
  escalated = false
  window: Window = []
  /** Its `stopTimeout` is over: nothing in it is waited for any more. */
  readonly hurries = new Set<Deferred.Deferred<void>>()

  constructor(
    tree: Tree,
    service: Any,
    parent: Member | undefined,
    state: SubscriptionRef.SubscriptionRef<ServiceState>,
    added?: { readonly extra: Context.Context<never> }
  ) {
    super(service, parent, added !== undefined)
    this.tree = tree
    this.state = state
    this.extra = added?.extra
  }

  // --- how it is doing ----------------------------------------------------------------------------------------

  get isUp(): boolean {
    return this.group === undefined ? this.life?.up === true && !this.life.fallen : this.groupUp
  }

  /** It runs, and so does all in it that its siblings may use. */
  get isComplete(): boolean {
    return this.missing === undefined
  }

  /** What of it does not run, though its siblings may use it. */
  private get missing(): Member | undefined {
    if (!this.isUp) return this
    for (const child of this.children) {
      const missing = child.exports ? child.missing : undefined
      if (missing !== undefined) return missing
    }
    return undefined
  }

  /** It is to run; it may have to wait for others. */
  get isWanted(): boolean {
    return this.enabled && !this.ended && !this.removed
  }

  /** The service that it has to wait for, if it is not for its own next try. */
  get blockedBy(): Member | undefined {
    if (this.heldBy !== undefined) return this.heldBy
    for (const { missing } of this.dependencies) if (missing !== undefined) return missing
    return undefined
  }

  /** Whether it will run when its group starts, as far as can be known. */
  get willRun(): boolean {
    return this.isWanted && this.dependencies.every((needed) => needed.willBeComplete)
  }

  private get willBeComplete(): boolean {
    return this.willRun && this.children.every((child) => !child.exports || child.willBeComplete)
  }

  get now(): number {
    return this.tree.clock.currentTimeMillisUnsafe()
  }

  /** Milliseconds that setting the wall clock does not change. */
  get uptime(): number {
    return Number(this.tree.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** As `SubscriptionRef.set`, without a fiber: nobody else writes it. Then what its groups show of it. */
  enter(state: ServiceState): void {
    this.state.value = state
    PubSub.publishUnsafe(this.state.pubsub, state)
    this.parent?.review()
  }

  /** Of a group: whether it is ready depends on its services. */
  review(): void {
    const { value } = this.state
    if (value._tag !== "Running") return
    const ready = this.children.every(
      ({ isWanted, state }) => !isWanted || (state.value._tag === "Running" && state.value.ready)
    )
    if (ready !== value.ready) this.enter({ ...value, ready })
  }

  /** Of a group: what its services that do not run wait for; and those of the groups above. */
  showWaiting(): void {
    for (const child of this.children) {
      const { value } = child.state
      if (value._tag !== "Stopped") continue
      const { waitingFor } = child
      if (waitingFor !== value.waitingFor) child.enter({ ...value, waitingFor })
    }
    this.parent?.showWaiting()
  }

  private get waitingFor(): string | undefined {
    return this.isWanted && this.parent?.isUp === true ? this.blockedBy?.path : undefined
  }

  /** The state of what does not run. */
  settle(): void {
    const { failure, now, retry } = this
    if (retry !== undefined && failure !== undefined) {
      this.enter({ _tag: "Restarting", since: now, until: retry.until, failure, restarts: this.restarts })
    } else if (failure !== undefined) {
      this.enter({ _tag: "Failed", since: now, failure })
    } else {
      this.enter({ _tag: "Stopped", since: now, waitingFor: this.waitingFor })
    }
  }

  /** Its own next try is off; what waited for that need not any more. */
  cancelRetry(): void {
    const timer = this.retry?.timer
    this.retry = undefined
    timer?.interruptUnsafe()
    this.release()
  }

  /** Nothing waits any more for what becomes of it. */
  release(): void {
    for (const other of this.parent?.children ?? []) if (other.heldBy === this) other.heldBy = undefined
  }

  /** No start of it, or in it, goes on. */
  cancelStart(): void {
    for (const member of this.downwards()) member.starting?.interruptUnsafe()
  }
}
