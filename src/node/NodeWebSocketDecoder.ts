/** Bytes to messages and control frames, by the receiver of `ws`. */
import * as Effect from "effect/Effect"
import { CloseCode, Violation } from "./NodeWebSocketError.ts"
import { bufferOf } from "./NodeWebSocketFrame.ts"
import { type Deflate, Receiver } from "./NodeWebSocketLibrary.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

export type Message = string | Uint8Array

export type Control =
  | { readonly _tag: "Ping" | "Pong"; readonly data: Uint8Array }
  | { readonly _tag: "Close"; readonly code: number; readonly reason: string }

/** Pieces of one message that are kept before there is enough for a frame, above which it is refused. */
const piecesMax = 65_536

/**
 * Compressed input is taken in pieces of this size: a thousand times as much may come out of it, and all of that before
 * anybody can ask to stop.
 */
const inflatedBytesMax = 4_096

export class NodeWebSocketDecoder {
  /** Whether it inflates: then `push` may take a while, and less is to be pushed at once. */
  readonly inflates: boolean
  readonly pieceBytesMax: number
  private readonly receiver: Receiver
  private events: Array<Message | Control> = []
  private at = 0
  private violation: Violation | undefined = undefined

  constructor(limits: Limits, isServer: boolean, deflate: Deflate | undefined) {
    this.inflates = deflate !== undefined
    this.pieceBytesMax = this.inflates ? inflatedBytesMax : Number.POSITIVE_INFINITY
    this.receiver = new Receiver({
      isServer,
      maxPayload: limits.messageBytesMax,
      maxFragments: limits.fragmentsMax,
      maxBufferedChunks: piecesMax,
      extensions: deflate === undefined ? {} : { "permessage-deflate": deflate }
    })
    this.receiver
      .on("message", (data, isBinary) => this.events.push(isBinary ? data : data.toString()))
      .on("ping", (data) => this.events.push({ _tag: "Ping", data }))
      .on("pong", (data) => this.events.push({ _tag: "Pong", data }))
      .on("conclude", (code, reason) => this.events.push({ _tag: "Close", code, reason: reason.toString() }))
      // What is wrong is told to who pushes.
      .on("error", () => {})
  }

  /** What the peer did wrong; there is nothing behind it. */
  get fault(): Violation | undefined {
    return this.at < this.events.length ? undefined : this.violation
  }

  /** The next one, in the order in which they came. */
  next(): Message | Control | undefined {
    const { at, events } = this
    if (at === events.length) {
      if (at > 0) {
        this.events = []
        this.at = 0
      }
      return undefined
    }
    this.at++
    return events[at]
  }

  /** Not to be called again before it is over; `Effect.void` if it is. */
  push(bytes: Uint8Array): Effect.Effect<void> {
    if (this.violation !== undefined) return Effect.void
    let isOver = false
    let onOver: (() => void) | undefined
    this.receiver._write(bufferOf(bytes), "buffer", (error) => {
      isOver = true
      if (error != null) this.violation = violationOf(error)
      onOver?.()
    })
    if (isOver) return Effect.void
    return Effect.callback<void>((resume) => {
      if (isOver) return resume(Effect.void)
      onOver = () => resume(Effect.void)
    })
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
