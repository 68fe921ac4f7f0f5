/**
 * A process that another one has started, to serve in its place (`NodeSuccession`) or under it (`NodeWorkers`; threads as well). It
 * asks that one for its listening sockets, says when it is ready, and is told when to begin and when to go.
 *
 * ```ts
 * const heir = yield* NodeHeir.make
 * const listeners = heir?.listeners ?? NodeListeners.make()
 * // ... starts all there is, by `NodeReactor.layerWith({ listeners })` ...
 * if (heir !== undefined) yield* heir.ready
 * ```
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NodeHeirBeginning } from "./NodeHeirBeginning.ts"
import * as NodeHeirChannel from "./NodeHeirChannel.ts"
import { isToHeir, type Role } from "./NodeHeirMessage.ts"
import { NodeHeirSource } from "./NodeHeirSource.ts"
import type { Beginning, NodeListenerSource } from "./NodeListenerSource.ts"
import { NodeListeners } from "./NodeListeners.ts"
import * as NodeTlsTickets from "./NodeTlsTickets.ts"
import * as ProcessLink from "./ProcessLink.ts"

export type { Role } from "./NodeHeirMessage.ts"

/** Whoever started this process went before it had said what this process is for. */
export class HeirError extends Data.TaggedError("HeirError")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** What this process or thread was started as; `undefined`: by nobody of ours. Needs no effect. */
export const role = NodeHeirChannel.role

export interface NodeHeir {
  /** `successor`: in place of the process that started it. `worker`, `thread`: one of several under it. */
  readonly role: Role
  /** The process that started this one; of a thread, its own process. */
  readonly predecessor: number
  /** Which of the workers it is, from 0. */
  readonly slot: number | undefined
  /** For `NodeReactor.layerWith`: sockets are asked for, and bound only if there are none. */
  readonly listeners: NodeListeners
  /** The same, for those who keep sockets for others (`NodeWorkers`). */
  readonly source: NodeListenerSource
  /** When this process serves. */
  readonly beginning: Beginning
  /**
   * Says that everything is up. Completes when this process serves: a successor then has the socket files and their locks, and its
   * predecessor accepts nothing more.
   */
  readonly ready: Effect.Effect<void>
  /** Says why it could not start. */
  readonly failed: (detail: string) => Effect.Effect<void>
  /**
   * Completes when a worker or thread is to go, or is left alone: nothing is accepted any more, handshakes are done; what is
   * open is to end now, and then the process. Never for a successor.
   */
  readonly draining: Effect.Effect<void>
  /** What is done when workers are told to reload, until the scope ends. The message of its error goes to whoever told. */
  readonly onReload: (
    reload: Effect.Effect<void, { readonly message: string }>
  ) => Effect.Effect<void, never, Scope.Scope>
}

/** What this process was started for. Call it once, before anything listens. */
export const make: Effect.Effect<NodeHeir | undefined, HeirError> = Effect.suspend(() => {
  const channel = NodeHeirChannel.own()
  if (channel === undefined) return Effect.undefined
  if (channel.role !== "thread") delete process.env[NodeHeirChannel.environmentName]
  return Effect.flatMap(Effect.context<never>(), (context) => {
    const heir = new Heir(channel, Effect.runForkWith(context))
    return Effect.as(heir.welcomed, heir)
  })
})

type Run = (effect: Effect.Effect<void>) => void

/** How long a worker that was left alone may settle. */
const orphanSettleMillis = 5_000
/** The channel of a process that ends is closed before its children have another parent. */
const pollMillis = 20

class Heir implements NodeHeir {
  readonly role: Role
  readonly beginning: NodeHeirBeginning
  readonly source: NodeHeirSource
  readonly listeners: NodeListeners
  slot: number | undefined = undefined
  private readonly channel: NodeHeirChannel.HeirChannel
  private readonly run: Run
  private readonly welcome = Deferred.makeUnsafe<void, HeirError>()
  private readonly began = Deferred.makeUnsafe<void>()
  private readonly drained = Deferred.makeUnsafe<void>()
  private onReloaded: Effect.Effect<void, { readonly message: string }> = Effect.void
  private isDraining = false

  constructor(channel: NodeHeirChannel.HeirChannel, run: Run) {
    this.channel = channel
    this.role = channel.role
    this.run = run
    this.beginning = new NodeHeirBeginning((error) =>
      run(Effect.logError("a socket that was handed on cannot be used", error))
    )
    this.source = new NodeHeirSource(channel.role, channel.post, this.beginning)
    this.listeners = new NodeListeners(this.source)
    channel.listen({ message: this.onMessage, closed: this.onClosed })
    channel.post({ _tag: "spindle/Hello" })
  }

  get predecessor(): number {
    return this.source.predecessor
  }

  get welcomed(): Effect.Effect<void, HeirError> {
    return Deferred.await(this.welcome)
  }

  readonly ready: Effect.Effect<void> = Effect.suspend(() => {
    this.channel.post({ _tag: "spindle/Ready" })
    return Deferred.await(this.began)
  })

  readonly failed = (detail: string): Effect.Effect<void> =>
    Effect.callback((resume) =>
      this.channel.postThen({ _tag: "spindle/Failed", detail }, () => resume(Effect.void))
    )

  private begin(): void {
    if (!this.beginning.begin()) return
    this.channel.post({ _tag: "spindle/Began" })
    this.channel.unref()
    Deferred.doneUnsafe(this.began, Effect.void)
  }

  get draining(): Effect.Effect<void> {
    return Deferred.await(this.drained)
  }

  private drain(settleMillis: number): void {
    if (this.isDraining) return
    this.isDraining = true
    for (const socket of this.listeners.sockets) socket.stepBack()
    this.run(Deferred.into(this.listeners.settled(settleMillis), this.drained).pipe(Effect.asVoid))
  }

  onReload(
    reload: Effect.Effect<void, { readonly message: string }>
  ): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        this.onReloaded = reload
      }),
      () =>
        Effect.sync(() => {
          this.onReloaded = Effect.void
        })
    )
  }

  private reload(id: number): void {
    const answer = (detail: string | undefined) => this.channel.post({ _tag: "spindle/Reloaded", id, detail })
    this.run(
      Effect.matchCause(this.onReloaded, {
        onSuccess: () => answer(undefined),
        onFailure: (cause) => answer(messageOf(cause))
      })
    )
  }

  private readonly onMessage = (message: unknown, handle: unknown): void => {
    if (!isToHeir(message)) return
    switch (message._tag) {
      case "spindle/Welcome": {
        this.source.predecessor = message.pid
        this.slot = message.slot
        NodeTlsTickets.adopt(message.tickets)
        return void Deferred.doneUnsafe(this.welcome, Effect.void)
      }
      case "spindle/Begin":
        return this.begin()
      case "spindle/Drain":
        return this.drain(message.settleMillis)
      case "spindle/Reload":
        return this.reload(message.id)
      default:
        return this.source.got(message, handle)
    }
  }

  private readonly onClosed = (): void => {
    Deferred.doneUnsafe(
      this.welcome,
      Effect.fail(new HeirError({ detail: "the process that started this one is gone, or said nothing" }))
    )
    this.source.close()
    if (this.role === "successor") return this.beginAlone()
    this.begin()
    this.drain(orphanSettleMillis)
  }

  /** As soon as the process before this one is gone. While it lives it serves, and ends who does not speak to it. */
  private beginAlone(): void {
    if (!this.beginning.isNow && isParent(this.predecessor)) setTimeout(() => this.beginAlone(), pollMillis)
    else this.begin()
  }
}

const isParent = (pid: number): boolean =>
  process.platform === "win32" ? ProcessLink.isAlive(pid) : process.ppid === pid

/** What it failed with need be no `Error`. */
const messageOf = (cause: Cause.Cause<{ readonly message: string }>): string => {
  const error = Cause.squash(cause)
  return typeof error === "object" && error !== null && "message" in error
    ? String(error.message)
    : String(error)
}
