/** Messages that came and nobody received yet: one may wait for the next, whoever fills it waits for room. */
import * as Effect from "effect/Effect"
import type { Message } from "./NodeWebSocketDecoder.ts"

/** What is kept of a message besides its bytes. */
const overheadBytes = 32

export class NodeWebSocketInbox {
  private readonly bytesMax: number
  private messages: Array<Message> = []
  private bytes = 0
  private onMessage: (() => void) | undefined = undefined
  private onRoom: (() => void) | undefined = undefined
  /** Nobody is held back any more; what does not fit is dropped. */
  private isLoose = false

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.messages.length === 0
  }

  get isAwaited(): boolean {
    return this.onMessage !== undefined
  }

  /** Waits while there is more than is allowed. */
  put(message: Message): Effect.Effect<void> {
    if (this.isLoose && this.bytes > this.bytesMax) return Effect.void
    this.messages.push(message)
    this.bytes += message.length + overheadBytes
    this.onMessage?.()
    return this.bytes <= this.bytesMax || this.isLoose ? Effect.void : this.room
  }

  /** The oldest one. */
  take(): Message | undefined {
    const message = this.messages.shift()
    if (message === undefined) return undefined
    this.bytes -= message.length + overheadBytes
    if (this.bytes <= this.bytesMax) this.onRoom?.()
    return message
  }

  takeAll(): ReadonlyArray<Message> {
    const { messages } = this
    this.messages = []
    this.bytes = 0
    this.onRoom?.()
    return messages
  }

  /** Waits for a message, or `wake`. */
  get arrival(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const done = () => {
        this.onMessage = undefined
        resume(Effect.void)
      }
      this.onMessage = done
      return Effect.sync(() => {
        if (this.onMessage === done) this.onMessage = undefined
      })
    })
  }

  private get room(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.bytes <= this.bytesMax || this.isLoose) return resume(Effect.void)
      this.onRoom = () => {
        this.onRoom = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => {
        this.onRoom = undefined
      })
    })
  }

  loosen(): void {
    this.isLoose = true
    this.onRoom?.()
  }

  /** There will be no more. */
  wake(): void {
    this.loosen()
    this.onMessage?.()
  }
}
