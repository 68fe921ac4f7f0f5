import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { Listener } from "./Listener.ts"
import { ListenError, type ListenReason } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"
import type { Closeable } from "./Transport.ts"

/**
 * The books of a `Listener`, once for every platform: who accepts, what waits for nobody yet, how it stops. A
 * platform extends it with two verbs (`release`, `discard`) and reports each connection by `deliver`.
 */
export abstract class StreamListener<T extends Closeable = Closeable> implements Listener {
  abstract readonly address: NetAddress.SocketAddress

  /** Stops the platform's listening. Called once. */
  protected abstract release(): Effect.Effect<void>
  /** Drops a connection that nobody will take. */
  protected abstract discard(transport: T): void
  /** Refuses new connections, and waits for those that are under way to being delivered. */
  protected awaitPrepared(): Effect.Effect<void> {
    return Effect.void
  }
  /** Somebody accepts now. */
  protected onAccepting(): void {}

  /** The endpoint's description. */
  protected readonly endpoint: string
  private readonly waitingMax: number
  private waiting: Array<T> = []
  private onConnection: ((transport: T) => void) | undefined = undefined
  private fail: ((error: ListenError) => void) | undefined = undefined
  private stopped = false

  constructor(options: { readonly endpoint: string; readonly waitingMax: number }) {
    this.endpoint = options.endpoint
    this.waitingMax = options.waitingMax
  }

  /** Whether one more connection would be taken, or would wait. */
  protected get hasRoom(): boolean {
    return !this.stopped && (this.onConnection !== undefined || this.waiting.length < this.waitingMax)
  }

  /** Hands over a connection, or lets it wait; without room it is dropped. */
  protected deliver(transport: T): void {
    if (this.onConnection !== undefined) this.onConnection(transport)
    else if (this.hasRoom) this.waiting.push(transport)
    else this.discard(transport)
  }

  readonly acceptEach: Listener["acceptEach"] = (onConnection) =>
    Effect.callback((resume) => {
      if (this.stopped) return resume(Effect.fail(this.error(notListening())))
      if (this.onConnection !== undefined) return resume(Effect.fail(this.error(alreadyListened())))
      this.onConnection = onConnection
      this.fail = (error) => resume(Effect.fail(error))
      const waiting = this.waiting
      this.waiting = []
      for (const transport of waiting) onConnection(transport)
      this.onAccepting()
      return Effect.sync(() => {
        if (this.onConnection === onConnection) this.forget()
      })
    })

  readonly settle: Effect.Effect<void> = Effect.suspend(() =>
    this.stopped ? Effect.void : this.awaitPrepared()
  )

  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    if (this.stopped) return Effect.void
    this.stopped = true
    const { fail, waiting } = this
    this.waiting = []
    this.forget()
    const released = this.release()
    for (const transport of waiting) this.discard(transport)
    fail?.(this.error(notListening()))
    return released
  })

  private forget(): void {
    this.onConnection = undefined
    this.fail = undefined
  }

  protected error(reason: ListenReason): ListenError {
    return new ListenError({ endpoint: this.endpoint, reason })
  }
}

const notListening = () => new Reason.NotListening({ detail: "the listener was stopped" })
const alreadyListened = () =>
  new Reason.AlreadyListened({ detail: "its connections are already being accepted" })
