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
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { ListenReason } from "../reactor/ReactorError.ts"
import { isHandle, type NativeHandle } from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import * as NodeHeirChannel from "./NodeHeirChannel.ts"
import { NodeHeirFeeds } from "./NodeHeirFeeds.ts"
import { isToHeir, type Role, type ToHeir, uncarryReason } from "./NodeHeirMessage.ts"
import type { Beginning, NodeListenerSource, Taken } from "./NodeListenerSource.ts"
import { NodeListeners } from "./NodeListeners.ts"
import * as NodeTlsTickets from "./NodeTlsTickets.ts"

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
type Resume = (effect: Effect.Effect<Taken | undefined, ListenReason>) => void

/** How long a worker that was left alone may settle. */
const orphanSettleMillis = 5_000

class Heir implements NodeHeir, NodeListenerSource, Beginning {
  readonly role: Role
  readonly listeners = new NodeListeners(this)
  readonly source: NodeListenerSource = this
  readonly beginning: Beginning = this
  predecessor = 0
  slot: number | undefined = undefined
  isNow = false
  private readonly channel: NodeHeirChannel.HeirChannel
  private readonly run: Run
  private readonly feeds: NodeHeirFeeds
  private readonly welcome = Deferred.makeUnsafe<void, HeirError>()
  private readonly began = Deferred.makeUnsafe<void>()
  private readonly drained = Deferred.makeUnsafe<void>()
  private readonly asked = new Map<number, { readonly key: string; readonly resume: Resume }>()
  private readonly onBegin = new Set<() => void>()
  private onReloaded: Effect.Effect<void, { readonly message: string }> = Effect.void
  private questions = 0
  private isClosed = false
  private isDraining = false

  constructor(channel: NodeHeirChannel.HeirChannel, run: Run) {
    this.channel = channel
    this.role = channel.role
    this.run = run
    this.feeds = new NodeHeirFeeds((message) => channel.post(message))
    channel.listen({ message: this.onMessage, closed: this.onClosed })
    channel.post({ _tag: "spindle/Hello" })
  }

  get welcomed(): Effect.Effect<void, HeirError> {
    return Deferred.await(this.welcome)
  }

  // --- a source of sockets --------------------------------------------------------------------------------

  take(key: string, binding: Binding): Effect.Effect<Taken | undefined, ListenReason> {
    return Effect.callback((resume) => {
      // A predecessor has given all it had.
      if (this.isClosed || (this.role === "successor" && this.isNow)) return resume(Effect.undefined)
      const id = this.questions++
      this.asked.set(id, { key, resume })
      this.channel.post({ _tag: "spindle/Take", id, key, binding })
      return Effect.sync(() => this.asked.delete(id))
    })
  }

  private answer(
    id: number,
    given: (key: string) => Effect.Effect<Taken | undefined, ListenReason>
  ): boolean {
    const question = this.asked.get(id)
    if (question === undefined) return false
    this.asked.delete(id)
    question.resume(given(question.key))
    return true
  }

  private gotSocket(
    { held, id, owned }: Extract<ToHeir, { readonly _tag: "spindle/Given" }>,
    handle: NativeHandle
  ) {
    const taken: Taken = {
      _tag: "Handle",
      handle,
      beginning: held ? this : atOnce,
      owner: owned ? this.predecessor : undefined
    }
    // Nobody waits for it any more.
    if (!this.answer(id, () => Effect.succeed(taken))) handle.close()
  }

  // --- beginning ------------------------------------------------------------------------------------------

  when(run: () => void): () => void {
    if (this.isNow) {
      run()
      return () => {}
    }
    this.onBegin.add(run)
    return () => this.onBegin.delete(run)
  }

  private begin(): void {
    if (this.isNow) return
    this.isNow = true
    for (const run of this.onBegin) {
      try {
        run()
      } catch (error) {
        this.run(Effect.logError("a socket that was handed on cannot be used", error))
      }
    }
    this.onBegin.clear()
    this.channel.post({ _tag: "spindle/Began" })
    this.channel.unref()
    Deferred.doneUnsafe(this.began, Effect.void)
  }

  readonly ready: Effect.Effect<void> = Effect.suspend(() => {
    this.channel.post({ _tag: "spindle/Ready" })
    return Deferred.await(this.began)
  })

  readonly failed = (detail: string): Effect.Effect<void> =>
    Effect.callback((resume) =>
      this.channel.postThen({ _tag: "spindle/Failed", detail }, () => resume(Effect.void))
    )

  // --- going ----------------------------------------------------------------------------------------------

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

  // --- what comes -----------------------------------------------------------------------------------------

  private readonly onMessage = (message: unknown, handle: unknown): void => {
    if (!isToHeir(message)) return
    switch (message._tag) {
      case "spindle/Welcome": {
        this.predecessor = message.pid
        this.slot = message.slot
        NodeTlsTickets.adopt(message.tickets)
        return void Deferred.doneUnsafe(this.welcome, Effect.void)
      }
      case "spindle/Given": {
        if (isHandle(handle)) return this.gotSocket(message, handle)
        return void this.answer(message.id, () => Effect.undefined)
      }
      case "spindle/None":
        return void this.answer(message.id, () => Effect.undefined)
      case "spindle/Port":
        return void this.answer(message.id, () => Effect.succeed({ _tag: "Port", port: message.port }))
      case "spindle/Feed":
        return void this.answer(message.id, (key) =>
          Effect.succeed(
            this.feeds.open(key, NetAddress.inetAddressFromNativeUnsafe(message.host, message.port))
          )
        )
      case "spindle/Refused":
        return void this.answer(message.id, () => Effect.fail(uncarryReason(message.reason)))
      case "spindle/Connection":
        return this.feeds.accept(message.key, message.socket)
      case "spindle/Begin":
        return this.begin()
      case "spindle/Drain":
        return this.drain(message.settleMillis)
      case "spindle/Reload":
        return this.reload(message.id)
    }
  }

  private readonly onClosed = (): void => {
    this.isClosed = true
    Deferred.doneUnsafe(
      this.welcome,
      Effect.fail(new HeirError({ detail: "the process that started this one is gone, or said nothing" }))
    )
    for (const { resume } of this.asked.values()) resume(Effect.undefined)
    this.asked.clear()
    this.begin()
    if (this.role !== "successor") this.drain(orphanSettleMillis)
  }
}

const atOnce: Beginning = {
  isNow: true,
  when: (run) => {
    run()
    return () => {}
  }
}

const messageOf = (cause: Cause.Cause<{ readonly message: string }>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}
