import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import type { Closeable } from "../reactor/Transport.ts"
import type { Turn } from "../reactor/Turn.ts"
import type { Ends } from "./NodeAddress.ts"
import type { NodeLimits } from "./NodeTransport.ts"
import { DuplexError } from "./TransportDuplex.ts"
import { writePieces } from "./writePieces.ts"

/** After our end went out: how long a peer may keep its own side open, its input dropped, before we close. */
const lingerTimeout = 1_000

/** Any `stream.Duplex` that is no `net.Socket`, as a transport. */
export class DuplexTransport extends StreamTransport {
  readonly security: Tls.Security
  private readonly duplex: Duplex
  private readonly ends: Ends
  private readonly closeTimeout: number
  private inputOver = false
  private closing = false
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(
    duplex: Duplex,
    turn: Turn,
    limits: NodeLimits,
    ends: Ends,
    security: Tls.Security = Tls.plain
  ) {
    super(turn, limits)
    this.duplex = duplex
    this.ends = ends
    this.security = security
    this.closeTimeout = limits.closing.millis
    // Ours to end: not when the peer has.
    duplex.allowHalfOpen = true
    duplex.on("error", (error) => this.gotError(error))
    duplex.on("close", () => this.gotClose())
    duplex.on("finish", () => this.destroyWhenOver())
    if (duplex.destroyed) {
      process.nextTick(() => this.gotClose())
    } else if (duplex.readableEnded) {
      this.gotEnd()
    } else {
      duplex.on("end", () => this.gotEnd())
      duplex.on("data", (chunk: unknown) => this.gotChunk(chunk))
      // As given, it may have been paused.
      duplex.resume()
    }
  }

  get local(): NetAddress.SocketAddress {
    return this.ends.local
  }

  get peer(): NetAddress.SocketAddress {
    return this.ends.peer
  }

  /** It says what to use instead, before anything is touched. */
  override get startTls(): Closeable["startTls"] {
    return () =>
      Effect.suspend(() =>
        Effect.fail(
          this.error(
            "startTls",
            new Reason.Unsupported({ detail: "a converted stream changes to TLS by NodeTlsOver.secure" })
          )
        )
      )
  }

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    const { duplex } = this
    if (writePieces(duplex, pieces)) return true
    if (duplex.listenerCount("drain", this.gotDrain) === 0) duplex.on("drain", this.gotDrain)
    return false
  }

  protected pauseInput(): void {
    this.duplex.pause()
  }

  protected resumeInput(): void {
    this.duplex.resume()
  }

  protected endOutput(): void {
    this.duplex.end()
  }

  protected closeOutput(): void {
    const { duplex } = this
    if (duplex.destroyed) return
    this.closing = true
    this.timer = setTimeout(() => this.resetNow(), this.closeTimeout)
    // The peer must be read to its end: closing over unread input may lose what we sent.
    duplex.resume()
    duplex.end(() => {
      clearTimeout(this.timer)
      // Also called when it was destroyed meanwhile, and then perhaps after `close`.
      if (duplex.destroyed) return
      if (this.inputOver) this.destroy()
      else this.timer = setTimeout(() => this.destroy(), lingerTimeout)
    })
  }

  /** With an error, so that streams that tell an abort from an end do. */
  protected resetNow(): void {
    this.destroy(new Error("the connection was aborted"))
  }

  protected unreportedBytes(): number {
    return this.duplex.readableLength
  }

  protected secure(): Effect.Effect<Secured, TransportReason> {
    return Effect.die(new Error("a converted stream has no TLS of its own"))
  }

  private destroy(error?: Error): void {
    const { duplex } = this
    duplex.destroy(error)
    if (!tellsClose(duplex)) process.nextTick(() => this.gotClose())
  }

  private destroyWhenOver(): void {
    const { duplex } = this
    if (this.inputOver && duplex.writableFinished && !duplex.destroyed) this.destroy()
  }

  // --- events -------------------------------------------------------------------------------------------

  private gotChunk(chunk: unknown): void {
    if (chunk instanceof Uint8Array) {
      if (chunk.length > 0) this.onBytes(chunk)
    } else if (typeof chunk === "string" && !this.duplex.readableObjectMode) {
      // Somebody has set an encoding: it is undone.
      this.onBytes(Buffer.from(chunk, this.duplex.readableEncoding ?? "utf8"))
    } else {
      // First, so that who is woken finds the stream gone.
      this.destroy()
      this.onFailure(new Reason.Unknown({ detail: "the stream carries objects, not bytes" }))
    }
  }

  private gotEnd(): void {
    this.inputOver = true
    this.onEnd()
    this.destroyWhenOver()
  }

  private readonly gotDrain = (): void => {
    this.duplex.off("drain", this.gotDrain)
    this.onDrain()
  }

  private gotError(error: Error): void {
    // A stream without `autoDestroy` lives on after an error; it is of no use any more.
    this.destroy()
    this.onFailure(reasonOf(error))
  }

  private gotClose(): void {
    clearTimeout(this.timer)
    const clean = this.closing || (this.inputOver && this.duplex.writableFinished)
    if (!clean) this.onFailure(new Reason.Reset({ detail: "the stream was closed before its end" }))
    this.onClosed()
  }
}

const reasonOf = (error: Error): TransportReason =>
  error instanceof DuplexError ? error.cause.reason : Errno.transportReason(error)

/** A stream made with `emitClose: false` never says that it is gone. The typings do not know where that is kept. */
const tellsClose = (duplex: Duplex): boolean =>
  (duplex as { readonly _writableState?: { readonly emitClose?: boolean } })._writableState?.emitClose !==
  false
