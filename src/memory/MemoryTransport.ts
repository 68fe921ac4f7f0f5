import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault, type StreamLimits } from "../reactor/StreamLimits.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import { handshake } from "./MemoryHandshake.ts"
import { failed } from "./MemoryTls.ts"
import type { StreamEnd } from "./MemoryCable.ts"

export interface MemoryLimits extends StreamLimits {
  /** Milliseconds that closing may take to flush. */
  readonly closeTimeout: number
}

const closeTimeoutDefault = 10_000

export const limitsOf = (options: Endpoint.StreamOptions): MemoryLimits => ({
  receiveBytesMax: options.receiveBytesMax ?? receiveBytesMaxDefault,
  sendBytesMax: options.sendBytesMax ?? sendBytesMaxDefault,
  closeTimeout:
    options.closeTimeout === undefined ? closeTimeoutDefault : Duration.toMillis(options.closeTimeout)
})

/** One end of a memory connection as a transport. */
export class MemoryTransport extends StreamTransport {
  readonly security: Tls.Security
  private readonly stream: StreamEnd
  private readonly streamLimits: MemoryLimits

  constructor(stream: StreamEnd, limits: MemoryLimits, security: Tls.Security = Tls.plain) {
    super(stream.loop.turn, limits)
    this.stream = stream
    this.streamLimits = limits
    this.security = security
    stream.attach({
      bytes: (bytes) => this.onBytes(bytes),
      end: () => this.onEnd(),
      drain: () => this.onDrain(),
      reset: (alert) => this.onFailure(brokenBy(alert)),
      closed: () => this.onClosed()
    })
  }

  get local(): NetAddress.SocketAddress {
    return this.stream.local
  }

  get peer(): NetAddress.SocketAddress {
    return this.stream.peer
  }

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    return this.stream.write(pieces)
  }

  protected pauseInput(): void {
    this.stream.pause()
  }

  protected resumeInput(): void {
    this.stream.resume()
  }

  protected endOutput(): void {
    this.stream.end()
  }

  protected closeOutput(): void {
    this.stream.close(this.streamLimits.closeTimeout)
  }

  protected resetNow(): void {
    this.stream.reset()
  }

  protected unreportedBytes(): number {
    return this.stream.unreportedBytes
  }

  protected secure(options: Tls.Upgrade, hello: Tls.Hello): Effect.Effect<Secured, TransportReason> {
    // The handshake here has messages, not bytes: what came as bytes is none.
    if (hello.length > 0) {
      const detail = "plaintext came instead of the TLS handshake"
      this.stream.reset(detail)
      return Effect.fail(failed(detail))
    }
    return Effect.map(
      handshake(this.stream, options, () => this.onClosed()),
      (security) => new MemoryTransport(this.stream, this.streamLimits, security)
    )
  }

  /** Drops a connection that nobody took. */
  discard(): void {
    this.stream.reset()
  }
}

const brokenBy = (why: string | TransportReason | undefined): TransportReason =>
  typeof why === "object"
    ? why
    : new Reason.Reset({ detail: why ?? "the peer reset the connection", errno: "ECONNRESET" })
