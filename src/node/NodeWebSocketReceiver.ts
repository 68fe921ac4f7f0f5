/** The receiver of `ws`, which reads frames: told whom it reads for, and strict with text before its message ends. */
import { CloseCode } from "./NodeWebSocketError.ts"
import { type Deflate, Receiver } from "./NodeWebSocketLibrary.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"
import { NodeWebSocketText } from "./NodeWebSocketText.ts"

/** Who is told what was read. */
export interface Reader {
  readonly gotMessage: (data: Buffer, isBinary: boolean) => void
  readonly gotControl: (name: "Ping" | "Pong", data: Buffer) => void
  readonly gotClose: (code: number, reason: Buffer) => void
}

/** Pieces of one message that are kept before there is enough for a frame, above which it is refused. */
const piecesMax = 65_536

/** States of `ws`, and opcodes. */
const atFrameStart = 0
const textOpcode = 1
const closeOpcode = 8

const unmasked = Buffer.alloc(4)

export class NodeWebSocketReceiver extends Receiver {
  private reader: Reader | undefined = undefined
  private text: NodeWebSocketText | undefined = undefined
  /** Of the frame that is coming: bytes, and buffers, that were unmasked and looked at. */
  private seenBytes = 0
  private seenBuffers = 0
  /** Of the message: frames that were looked at. */
  private seenFrames = 0

  constructor(deflate: Deflate | undefined) {
    super({
      isServer: true,
      maxPayload: 0,
      maxFragments: 0,
      maxBufferedChunks: piecesMax,
      extensions: deflate === undefined ? {} : { "permessage-deflate": deflate }
    })
  }

  lendTo(reader: Reader, limits: Limits, isServer: boolean): void {
    this.reader = reader
    this._isServer = isServer
    this._maxPayload = limits.messageBytesMax
    this._maxFragments = limits.fragmentsMax
  }

  giveBack(): void {
    this.reader = undefined
  }

  /** Whether it knows nothing: another connection could as well go on with it. */
  get isAtRest(): boolean {
    return (
      this._state === atFrameStart &&
      this._bufferedBytes === 0 &&
      this._fragmented === 0 &&
      this._opcode !== closeOpcode &&
      !this._errored
    )
  }

  /** It has one reader, who needs no list of listeners. What else it says as a stream is of no interest. */
  override emit(event: string, ...args: ReadonlyArray<unknown>): boolean {
    const { reader } = this
    switch (event) {
      case "message":
        reader?.gotMessage(args[0] as Buffer, args[1] as boolean)
        break
      case "ping":
        reader?.gotControl("Ping", args[0] as Buffer)
        break
      case "pong":
        reader?.gotControl("Pong", args[0] as Buffer)
        break
      case "conclude":
        reader?.gotClose(args[0] as number, args[1] as Buffer)
    }
    return true
  }

  // --- text ---------------------------------------------------------------------------------------------

  /** The library looks at a frame's payload when it is all there, and at text when all of its message is. */
  override getData(callback: (error: Error) => void): void {
    if (this._opcode === textOpcode && !this._compressed) {
      if (this._bufferedBytes < this._payloadLength) {
        if (!this.look()) return callback(this.noText())
      } else if (this.seenBuffers > 0) this.unmaskRest()
    }
    super.getData(callback)
  }

  override dataMessage(callback: (error: Error) => void): void {
    if (this._opcode === textOpcode) {
      if (this._fin) this.forget()
      else if (!this.lookAtFrame()) return callback(this.noText())
    }
    super.dataMessage(callback)
  }

  /** All that is there is a part of the payload. */
  private look(): boolean {
    const text = (this.text ??= new NodeWebSocketText())
    for (; this.seenBuffers < this._buffers.length; this.seenBuffers++) {
      const piece = this._buffers[this.seenBuffers]!
      this.unmask(piece)
      if (!text.push(piece)) return false
    }
    return true
  }

  /** Behind what was looked at, up to the end of the payload. */
  private unmaskRest(): void {
    for (; this.seenBytes < this._payloadLength; this.seenBuffers++) {
      const piece = this._buffers[this.seenBuffers]!
      this.unmask(piece.subarray(0, this._payloadLength - this.seenBytes))
    }
    this._mask = unmasked
    this.seenBuffers = 0
  }

  private unmask(piece: Buffer): void {
    const { _mask: mask, _masked: isMasked, seenBytes } = this
    if (isMasked) for (let i = 0; i < piece.length; i++) piece[i]! ^= mask![(seenBytes + i) & 3]!
    this.seenBytes += piece.length
  }

  private lookAtFrame(): boolean {
    const text = (this.text ??= new NodeWebSocketText())
    const { _fragments: frames, seenBytes } = this
    this.seenBytes = 0
    for (; this.seenFrames < frames.length; this.seenFrames++) {
      if (!text.push(frames[this.seenFrames]!.subarray(seenBytes))) return false
    }
    return true
  }

  /** All of the message is looked at once more. */
  private forget(): void {
    this.text?.reset()
    this.seenBytes = 0
    this.seenFrames = 0
  }

  private noText(): Error {
    return this.createError(
      Error,
      "invalid UTF-8 sequence",
      true,
      CloseCode.invalidText,
      "WS_ERR_INVALID_UTF8"
    )
  }
}

/** A connection has one only while it is within a message: between two, it costs nothing. */
const resting: Array<NodeWebSocketReceiver> = []
const restingMax = 16

export const take = (): NodeWebSocketReceiver => resting.pop() ?? new NodeWebSocketReceiver(undefined)

export const giveBack = (receiver: NodeWebSocketReceiver): void => {
  receiver.giveBack()
  if (resting.length < restingMax) resting.push(receiver)
}
