/** Bytes to messages and control frames, by the receiver of `ws`. */
import * as Effect from "effect/Effect"
import { CloseCode, Violation } from "./NodeWebSocketError.ts"
import { bufferOf } from "./NodeWebSocketFrame.ts"
import type { Deflate } from "./NodeWebSocketLibrary.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"
import * as NodeWebSocketReceiver from "./NodeWebSocketReceiver.ts"

export type Message = string | Uint8Array

export type Control =
  | { readonly _tag: "Ping" | "Pong"; readonly data: Uint8Array }
  | { readonly _tag: "Close"; readonly code: number; readonly reason: string }

/**
 * Compressed input is taken in pieces of this size: a thousand times as much may come out of it, and all of that before
 * anybody can ask to stop.
 */
const inflatedBytesMax = 4_096

export class NodeWebSocketDecoder implements NodeWebSocketReceiver.Reader {
  private readonly limits: Limits
  private readonly isServer: boolean
  private readonly deflate: Deflate | undefined
  /** None between two messages, where none is of its own. */
  private receiver: NodeWebSocketReceiver.NodeWebSocketReceiver | undefined = undefined
  private events: Array<Message | Control> | undefined = undefined
  private at = 0
  private violation: Violation | undefined = undefined
  private isConcluded = false

  constructor(limits: Limits, isServer: boolean, deflate: Deflate | undefined) {
    this.limits = limits
    this.isServer = isServer
    this.deflate = deflate
  }

  /** Whether it inflates: then `push` may take a while, and less is to be pushed at once. */
  get inflates(): boolean {
    return this.deflate !== undefined
  }

  get pieceBytesMax(): number {
    return this.inflates ? inflatedBytesMax : Number.POSITIVE_INFINITY
  }

  /** What the peer did wrong; there is nothing behind it. */
  get fault(): Violation | undefined {
    return this.events === undefined ? this.violation : undefined
  }

  /** The next one, in the order in which they came. */
  next(): Message | Control | undefined {
    const { events } = this
    if (events === undefined) return undefined
    const next = events[this.at++]
    if (this.at === events.length) {
      this.events = undefined
      this.at = 0
    }
    return next
  }

  /** Not to be called again before it is over; `Effect.void` if it is. */
  push(bytes: Uint8Array): Effect.Effect<void> {
    if (this.violation !== undefined || this.isConcluded) return Effect.void
    const receiver = (this.receiver ??= this.borrow())
    let isOver = false
    let onOver: (() => void) | undefined
    receiver._write(bufferOf(bytes), "buffer", (error) => {
      isOver = true
      if (error != null) this.violation = violationOf(error)
      onOver?.()
    })
    if (isOver) {
      this.rest(receiver)
      return Effect.void
    }
    return Effect.callback<void>((resume) => {
      if (isOver) return resume(Effect.void)
      onOver = () => resume(Effect.void)
    })
  }

  private borrow(): NodeWebSocketReceiver.NodeWebSocketReceiver {
    const receiver =
      this.deflate === undefined
        ? NodeWebSocketReceiver.take()
        : new NodeWebSocketReceiver.NodeWebSocketReceiver(this.deflate)
    receiver.lendTo(this, this.limits, this.isServer)
    return receiver
  }

  private rest(receiver: NodeWebSocketReceiver.NodeWebSocketReceiver): void {
    if (this.violation !== undefined || this.isConcluded) this.receiver = undefined
    else if (this.deflate === undefined && receiver.isAtRest) {
      this.receiver = undefined
      NodeWebSocketReceiver.giveBack(receiver)
    }
  }

  // --- what it is told ------------------------------------------------------------------------------------

  gotMessage(data: Buffer, isBinary: boolean): void {
    this.got(isBinary ? data : data.toString())
  }

  gotControl(_tag: "Ping" | "Pong", data: Buffer): void {
    this.got({ _tag, data })
  }

  gotClose(code: number, reason: Buffer): void {
    this.isConcluded = true
    this.got({ _tag: "Close", code, reason: reason.toString() })
  }

  private got(event: Message | Control): void {
    if (this.events === undefined) this.events = [event]
    else this.events.push(event)
  }
}

const violationOf = (error: Error): Violation => {
  const { code = "" } = error as NodeJS.ErrnoException
  return new Violation({ code: closeCodes[code] ?? defaultOf(code), detail: error.message })
}

/** What is not one of the library's own comes from zlib: it was no compressed data. */
const defaultOf = (code: string): number =>
  code.startsWith("WS_ERR_") ? CloseCode.protocolError : CloseCode.invalidText

const closeCodes: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: CloseCode.invalidText,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CloseCode.policy,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CloseCode.tooBig,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CloseCode.tooBig
}
