/** The side that has started a process or thread: answers what it asks, and knows how far it is. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { NativeHandle } from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import { describeEnd, type End, type Events, type HeirLine } from "./NodeHeirLine.ts"
import { carryReason, type FromHeir, isFromHeir } from "./NodeHeirMessage.ts"
import * as NodeTlsTickets from "./NodeTlsTickets.ts"

/** What there is for a key. */
export type Answer =
  | {
      readonly _tag: "Given"
      readonly handle: NativeHandle
      readonly held: boolean
      readonly owned: boolean
      readonly others: ReadonlyArray<string>
    }
  | { readonly _tag: "None" }
  | { readonly _tag: "Port"; readonly port: number }
  | { readonly _tag: "Feed"; readonly host: string; readonly port: number }

export interface Options {
  readonly slot: number | undefined
  readonly start: (events: Events) => HeirLine
  readonly answer: (key: string, binding: Binding) => Effect.Effect<Answer, ListenReason>
  /** What threads say about connections. */
  readonly onFeed?: ((message: Extract<FromHeir, { readonly key: string }>) => void) | undefined
  /** It lives, but cannot be spoken to any more. */
  readonly onLost?: (() => void) | undefined
  /** It has ended, however. */
  readonly onEnded?: (() => void) | undefined
}

/** It could not start, and says why. */
export interface NotReady {
  readonly _tag: "Ended" | "Failed"
  readonly detail: string
}

export class NodeHeirHost {
  readonly line: HeirLine
  private readonly options: Options
  private readonly run: (effect: Effect.Effect<void>) => void
  private readonly readiness = Deferred.makeUnsafe<void, NotReady>()
  private readonly beginning = Deferred.makeUnsafe<void>()
  private readonly end = Deferred.makeUnsafe<End>()
  private readonly away = Deferred.makeUnsafe<void>()
  private readonly reloading = new Map<number, (detail: string | undefined) => void>()
  private reloads = 0
  isReady = false
  hasEnded = false

  constructor(options: Options, run: (effect: Effect.Effect<void>) => void) {
    this.options = options
    this.run = run
    this.line = options.start({
      message: this.onMessage,
      lost: this.onLost,
      ended: this.onEnded
    })
  }

  /** Completes when all of it is up. */
  get ready(): Effect.Effect<void, NotReady> {
    return Deferred.await(this.readiness)
  }

  get ended(): Effect.Effect<End> {
    return Deferred.await(this.end)
  }

  /** Completes when it has ended, or cannot be spoken to any more. */
  get gone(): Effect.Effect<void> {
    return Deferred.await(this.away)
  }

  /** Has it begin. Completes when it serves; does not, if it ends first. */
  get begin(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.line.post({ _tag: "spindle/Begin" })
      return Deferred.await(this.beginning)
    })
  }

  drain(settleMillis: number): void {
    this.line.post({ _tag: "spindle/Drain", settleMillis })
  }

  /** Has it reload; gives why it could not, if so. */
  get reload(): Effect.Effect<string | undefined> {
    return Effect.callback((resume) => {
      if (this.hasEnded) return resume(Effect.succeed("it has ended"))
      const id = this.reloads++
      this.reloading.set(id, (detail) => resume(Effect.succeed(detail)))
      this.line.post({ _tag: "spindle/Reload", id })
      return Effect.sync(() => this.reloading.delete(id))
    })
  }

  private take(id: number, key: string, binding: Binding): void {
    const { line } = this
    this.run(
      Effect.match(this.options.answer(key, binding), {
        onFailure: (reason) => line.post({ _tag: "spindle/Refused", id, reason: carryReason(reason) }),
        onSuccess: (answer) => {
          switch (answer._tag) {
            case "Given": {
              const { handle, held, others, owned } = answer
              return line.post({ _tag: "spindle/Given", id, held, owned, others }, handle, () =>
                line.post({ _tag: "spindle/None", id })
              )
            }
            case "None":
              return line.post({ _tag: "spindle/None", id })
            case "Port":
              return line.post({ _tag: "spindle/Port", id, port: answer.port })
            case "Feed":
              return line.post({ _tag: "spindle/Feed", id, host: answer.host, port: answer.port })
          }
        }
      })
    )
  }

  private readonly onMessage = (message: unknown): void => {
    if (!isFromHeir(message)) return
    switch (message._tag) {
      case "spindle/Hello":
        return this.line.post({
          _tag: "spindle/Welcome",
          pid: process.pid,
          slot: this.options.slot,
          tickets: NodeTlsTickets.shared()
        })
      case "spindle/Take":
        return this.take(message.id, message.key, message.binding)
      case "spindle/Ready": {
        this.isReady = true
        return void Deferred.doneUnsafe(this.readiness, Effect.void)
      }
      case "spindle/Failed":
        return this.notReady({ _tag: "Failed", detail: message.detail })
      case "spindle/Began":
        return void Deferred.doneUnsafe(this.beginning, Effect.void)
      case "spindle/Reloaded": {
        const answer = this.reloading.get(message.id)
        this.reloading.delete(message.id)
        return answer?.(message.detail)
      }
      case "spindle/Left":
      case "spindle/Took":
        return this.options.onFeed?.(message)
    }
  }

  private notReady(reason: NotReady): void {
    Deferred.doneUnsafe(this.readiness, Effect.fail(reason))
  }

  private leave(): void {
    for (const answer of this.reloading.values()) answer("it has ended")
    this.reloading.clear()
    Deferred.doneUnsafe(this.away, Effect.void)
  }

  private readonly onLost = (): void => {
    this.notReady({ _tag: "Ended", detail: "it closed its channel to this process" })
    this.leave()
    this.options.onLost?.()
  }

  private readonly onEnded = (end: End): void => {
    this.hasEnded = true
    this.notReady({ _tag: "Ended", detail: describeEnd(end) })
    this.leave()
    this.options.onEnded?.()
    Deferred.doneUnsafe(this.end, Effect.succeed(end))
  }
}
