import { Duplex } from "node:stream"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError, TransportReason } from "../reactor/ReactorError.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"

export interface DuplexOptions {
  /** Received bytes that the stream buffers above those of the transport. Default 65,536. */
  readonly readableHighWaterMark?: number | undefined
  /** Written bytes above which `write` returns false. Default 65,536. */
  readonly writableHighWaterMark?: number | undefined
  /**
   * Destroy the stream when both directions have ended, as `stream.Duplex` has it. Default `true`; without it, whoever uses
   * the stream destroys it.
   */
  readonly autoDestroy?: boolean | undefined
}

/** What `error` events of a converted transport carry: `code` as Node has it, the transport's own error as `cause`. */
export class DuplexError extends Error {
  readonly code: string
  declare readonly cause: TransportError

  constructor(error: TransportError) {
    super(error.message, { cause: error })
    this.name = "DuplexError"
    this.code = codeOf(error.reason)
  }
}

const bytesMaxDefault = 65_536

type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** A transport as a `stream.Duplex`. */
export class TransportDuplex extends Duplex {
  private readonly transport: Transport
  private readonly run: Run
  private readonly sending: (data: Uint8Array | string) => Effect.Effect<void, TransportError>
  private reading: Fiber.Fiber<void, TransportError> | undefined = undefined
  /** The stream has asked for more since it was last given something. */
  private wanted = false
  private onWanted: (() => void) | undefined = undefined
  private outputOver = false
  /** Its owner closed or aborted the transport: there is nothing left to do to it. */
  private left = false

  constructor(transport: Transport, run: Run, options: DuplexOptions = {}) {
    super({
      allowHalfOpen: true,
      autoDestroy: options.autoDestroy ?? true,
      decodeStrings: false,
      readableHighWaterMark: options.readableHighWaterMark ?? bytesMaxDefault,
      writableHighWaterMark: options.writableHighWaterMark ?? bytesMaxDefault
    })
    this.transport = transport
    this.run = run
    this.sending = Immediate.beginning(transport.send)
  }

  // --- input --------------------------------------------------------------------------------------------

  override _read(): void {
    if (this.left) return
    this.wanted = true
    if (this.reading === undefined) {
      const reading = this.run(this.transport.receiveEach((bytes) => this.hand(bytes)))
      this.reading = reading
      reading.addObserver((exit) => this.finishReading(exit))
    } else {
      this.onWanted?.()
    }
  }

  private hand(bytes: Uint8Array): Effect.Effect<void> {
    this.wanted = false
    // Whoever is given the bytes may ask for more within the call: that is not asked again.
    return this.push(bytes) || this.wanted ? Effect.void : this.room
  }

  private readonly room = Effect.callback<void>((resume) => {
    if (this.wanted) return resume(Effect.void)
    this.onWanted = () => {
      this.onWanted = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.onWanted = undefined
    })
  })

  /** For who goes on with the transport itself: it is given back what was read of it. Nobody may use the stream then. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.left = true
    const { reading } = this
    const rest = Effect.suspend(() => {
      const bytes = this.readableLength > 0 ? (this.read() as Uint8Array | null) : null
      return bytes === null ? Effect.void : this.transport.unread(bytes)
    })
    return reading === undefined ? rest : Effect.andThen(Fiber.interrupt(reading), rest)
  })

  private finishReading(exit: Exit.Exit<void, TransportError>): void {
    if (this.destroyed || this.left) return
    if (Exit.isSuccess(exit)) {
      this.push(null)
    } else {
      this.destroy(this.errorOf(exit))
    }
  }

  // --- output -------------------------------------------------------------------------------------------

  override _write(chunk: Uint8Array | string, encoding: BufferEncoding, callback: Callback): void {
    this.settle(this.sending(bytesOf(chunk, encoding)), callback)
  }

  /** What was written while the transport had no room, in one turn: it leaves in one write. */
  override _writev(chunks: ReadonlyArray<Written>, callback: Callback): void {
    let i = 0
    const next = (error?: Error | null): void => {
      while (error == null && i < chunks.length) {
        const { chunk, encoding } = chunks[i++]!
        const rest = this.sending(bytesOf(chunk, encoding))
        if (rest !== Effect.void) return this.settle(rest, next)
      }
      callback(error)
    }
    next()
  }

  override _final(callback: Callback): void {
    this.settle(this.transport.end, (error) => {
      this.outputOver = error == null
      callback(error)
    })
  }

  private settle(effect: Effect.Effect<void, TransportError>, callback: Callback): void {
    if (effect === Effect.void) return callback()
    const fiber = this.run(effect)
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return callback()
      const error = this.errorOf(exit)
      // An end from our side is none to report: who wrote is told, nobody else.
      if (error === undefined) this.destroy()
      callback(error ?? new Error("the transport was closed", { cause: Cause.squash(exit.cause) }))
    })
  }

  // --- ending -------------------------------------------------------------------------------------------

  override _destroy(error: Error | null, callback: Callback): void {
    this.reading?.interruptUnsafe()
    this.run(Effect.exit(this.farewell(error))).addObserver(() => callback(error))
  }

  /** `destroy` is an abort, but what was written and ended is not taken back. */
  private farewell(error: Error | null): Effect.Effect<unknown, TransportError> {
    const { transport } = this
    if (this.left) return transport.closed
    if (!this.outputOver || error !== null) return Effect.andThen(transport.abort, transport.closed)
    // Without a `close` of its own, its scope closes it.
    return (transport as Partial<Closeable>).close ?? Effect.void
  }

  /** As Node has it: what this side did to its own connection is no error. */
  private errorOf(exit: Exit.Failure<void, TransportError>): Error | undefined {
    const found = Cause.findError(exit.cause)
    if (Result.isFailure(found)) {
      const defect = Cause.squash(exit.cause)
      return Cause.hasInterruptsOnly(exit.cause)
        ? undefined
        : defect instanceof Error
          ? defect
          : new Error(String(defect))
    }
    const { _tag } = found.success.reason
    if (_tag !== "Closed" && _tag !== "Aborted") return new DuplexError(found.success)
    this.left = true
    return undefined
  }
}

type Callback = (error?: Error | null) => void

interface Written {
  readonly chunk: Uint8Array | string
  readonly encoding: BufferEncoding
}

const bytesOf = (chunk: Uint8Array | string, encoding: BufferEncoding): Uint8Array | string =>
  typeof chunk !== "string" || encoding === "utf8" || encoding === "utf-8"
    ? chunk
    : Buffer.from(chunk, encoding)

/** The system's name for a reason, so that Node's own streams above take it for what it is. */
const codeOf = (reason: TransportReason): string => {
  if (reason.errno !== undefined) return reason.errno
  switch (reason._tag) {
    case "Reset":
      return "ECONNRESET"
    case "TimedOut":
      return "ETIMEDOUT"
    case "NoRoute":
      return "EHOSTUNREACH"
    case "ResourceExhausted":
      return "ENOBUFS"
    case "HandshakeFailed":
    case "CertificateRejected":
    case "InvalidTlsOptions":
      return "EPROTO"
    case "Busy":
      return "EBUSY"
    case "Unsupported":
      return "ENOTSUP"
    default:
      return "EIO"
  }
}
