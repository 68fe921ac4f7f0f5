/** What is used of the `ws` package: its reader of frames, its compression, the syntax of its header fields. Its typings know its sockets only. */
import * as ws from "ws"

/**
 * Reads frames. It is a `stream.Writable`, of which only `_write` is used: it calls back at once where nothing is inflated. What
 * begins with an underscore is not documented; `NodeWebSocketReceiver` relies on it, and a test on that version.
 */
interface ReceiverShape {
  readonly _write: (bytes: Buffer, encoding: "buffer", callback: (error?: Error | null) => void) => void
  emit(event: string, ...args: ReadonlyArray<unknown>): boolean
  getData(callback: (error: Error) => void): void
  dataMessage(callback: (error: Error) => void): void
  readonly createError: (
    constructor: ErrorConstructor,
    message: string,
    isPrefixed: boolean,
    status: number,
    code: string
  ) => Error
  _isServer: boolean
  _maxPayload: number
  _maxFragments: number
  _state: number
  readonly _bufferedBytes: number
  readonly _buffers: ReadonlyArray<Buffer>
  readonly _payloadLength: number
  readonly _compressed: boolean
  readonly _masked: boolean
  _mask: Uint8Array | undefined
  readonly _fin: boolean
  readonly _opcode: number
  /** The opcode of the message that fragments are to come of; 0: none. */
  readonly _fragmented: number
  readonly _fragments: ReadonlyArray<Buffer>
  readonly _errored: boolean
}

export interface ReceiverOptions {
  readonly isServer: boolean
  readonly maxPayload: number
  readonly maxFragments: number
  readonly maxBufferedChunks: number
  readonly extensions: Readonly<Record<string, Deflate>>
}

export interface Deflate {
  readonly params: Readonly<Record<string, unknown>> | null
  readonly offer: () => Readonly<Record<string, unknown>>
  /** Throws for parameters that cannot be had. */
  readonly accept: (
    offers: ReadonlyArray<Readonly<Record<string, unknown>>>
  ) => Readonly<Record<string, unknown>>
  readonly compress: (
    data: Buffer,
    fin: boolean,
    callback: (error: Error | null, data: Buffer) => void
  ) => void
  readonly cleanup: () => void
}

export interface DeflateOptions {
  readonly isServer: boolean
  readonly maxPayload: number
  readonly threshold: number
  readonly concurrencyLimit: number
  readonly serverNoContextTakeover?: boolean
  readonly clientNoContextTakeover?: boolean
  readonly zlibDeflateOptions: { readonly level: number; readonly memLevel: number }
}

interface FrameOptions {
  readonly fin: boolean
  readonly mask: boolean
  readonly opcode: number
  readonly readOnly: boolean
  readonly rsv1: boolean
}

interface Library {
  readonly Receiver: new (options: ReceiverOptions) => ReceiverShape
  readonly Sender: { readonly frame: (data: Buffer, options: FrameOptions) => ReadonlyArray<Buffer> }
  readonly PerMessageDeflate: new (options: DeflateOptions) => Deflate
  readonly extension: {
    /** Throws a `SyntaxError`. */
    readonly parse: (
      field: string
    ) => Readonly<Record<string, ReadonlyArray<Readonly<Record<string, unknown>>>>>
    readonly format: (extensions: Readonly<Record<string, unknown>>) => string
  }
  readonly subprotocol: {
    /** Throws a `SyntaxError`, also for what is named twice. */
    readonly parse: (field: string) => ReadonlySet<string>
  }
}

export const { extension, PerMessageDeflate, Receiver, Sender, subprotocol } = ws as unknown as Library
