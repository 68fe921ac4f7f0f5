/** One connection of HTTP/2 (RFC 9113), from its preface to its end: nghttp2's session, over whatever stream. */
import * as http2 from "node:http2"
import type { Duplex } from "node:stream"
import type { Closeable } from "../reactor/Transport.ts"
import { type DeadlineQueue, endDeadline, type Timed } from "./DeadlineQueue.ts"
import { NodeHttp2Budget } from "./NodeHttp2Budget.ts"
import { type Http2ExchangeHost, NodeHttp2Exchange } from "./NodeHttp2Exchange.ts"
import * as NodeHttp2Fault from "./NodeHttp2Fault.ts"
import type { HttpConnection } from "./NodeHttpConnection.ts"
import type { HttpExchange } from "./NodeHttpExchange.ts"
import type { Limits } from "./NodeHttpLimits.ts"
import * as NodeHttpSocket from "./NodeHttpSocket.ts"

/** What a connection needs of its server. */
export interface Http2Host {
  readonly isDraining: boolean
  readonly limits: Limits
  /** Those that were asked nothing yet. */
  readonly beginning: DeadlineQueue
  /** Those between two requests. */
  readonly idle: DeadlineQueue
  /** Requests whose body is on its way. */
  readonly uploads: DeadlineQueue
  readonly lingering: DeadlineQueue
  readonly quiet: DeadlineQueue
  readonly answer: (exchange: HttpExchange) => void
  readonly gone: (connection: HttpConnection) => void
}

/** More than what one upload may leave unread, so that it does not hold up the others. */
const windowBytes = 1_048_576
/** Requests given up, and pings and settings: so many at once, and so many in a second. */
const burst = 1_000
const perSecond = 33

const { NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants

export const sessionOptions = (limits: Limits): http2.ServerSessionOptions => ({
  settings: {
    enablePush: false,
    enableConnectProtocol: true,
    maxConcurrentStreams: limits.streamsMax,
    // As the protocol counts, with 32 bytes for each field.
    maxHeaderListSize: limits.headerBytesMax + 32 * (limits.headersMax + pseudoMax)
  },
  // What is a little above the limit is told so; what is far above is reset.
  maxHeaderListPairs: 2 * limits.headersMax + pseudoMax,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  streamResetBurst: burst,
  streamResetRate: perSecond
})

const pseudoMax = 4

export class NodeHttp2Connection implements HttpConnection, Http2ExchangeHost, Timed {
  readonly transport: Closeable
  slot = -1
  deadline: Timed["deadline"] = undefined
  private readonly stream: Duplex
  private readonly server: Http2Host
  private readonly session: http2.ServerHttp2Session
  private readonly exchanges = new Set<NodeHttp2Exchange>()
  private readonly calm = new NodeHttp2Budget(burst, perSecond)
  private requests = 0
  /** Handlers that run, for whoever waits or not. */
  private running = 0
  private ending = false
  private restSince = performance.now()
  private pendingBytes = 0
  private pendingSince = 0

  constructor(transport: Closeable, stream: Duplex, server: Http2Host, options: http2.ServerSessionOptions) {
    this.transport = transport
    this.stream = stream
    this.server = server
    stream.on("error", () => {})
    stream.on("close", () => this.closed())
    stream.on("end", () => this.inputEnded())
    server.beginning.begin(this)
    NodeHttpSocket.hold(stream)
    const session = http2.performServerHandshake(stream, options)
    this.session = session
    session.on("stream", (stream, headers, _, rawHeaders) => this.take(stream, headers, rawHeaders))
    session.on("ping", this.spend)
    session.on("remoteSettings", this.spend)
    session.on("error", () => {})
    session.setLocalWindowSize(windowBytes)
  }

  // --- requests -----------------------------------------------------------------------------------------

  private take(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    rawHeaders: ReadonlyArray<string>
  ): void {
    const { exchanges, server } = this
    const { limits } = server
    if (this.ending || stream.destroyed || stream.closed) {
      stream.on("error", () => {})
      stream.destroy()
      return this.spend()
    }
    endDeadline(this)
    const exchange = new NodeHttp2Exchange(
      stream,
      headers,
      this,
      NodeHttp2Fault.of(headers, rawHeaders, limits)
    )
    exchanges.add(exchange)
    if (!stream.endAfterHeaders) server.uploads.begin(exchange)
    stream.on("close", () => this.over(exchange))
    if (++this.requests === limits.requestsPerConnectionMax || server.isDraining) this.session.close()
    // A handler may take its time to end after its request was given up: the limit of streams does not count it (CVE-2023-44487, CVE-2025-8671).
    if (this.running >= 2 * limits.streamsMax) return this.cut()
    if (exchange.fault === undefined) this.running++
    server.answer(exchange)
  }

  get isDraining(): boolean {
    return this.server.isDraining
  }

  settled(): void {
    this.running--
  }

  private over(exchange: NodeHttp2Exchange): void {
    endDeadline(exchange)
    this.exchanges.delete(exchange)
    if (exchange.isBrokenOff) {
      exchange.lose()
      this.spend()
    }
    if (this.exchanges.size > 0 || this.stream.destroyed || this.ending) return
    this.restSince = performance.now()
    if (this.session.closed) this.end()
    else if (this.deadline === undefined) this.server.idle.begin(this)
  }

  /** Something that costs us more than the peer. */
  private readonly spend = (): void => {
    if (!this.calm.spend(performance.now())) this.cut()
  }

  private cut(): void {
    if (!this.session.destroyed) this.session.destroy(new Error("calm down"), NGHTTP2_ENHANCE_YOUR_CALM)
    this.linger()
  }

  /** Without the peer's side nothing can be agreed on any more. */
  private inputEnded(): void {
    if (this.ending) return
    if (!this.session.destroyed) this.session.destroy()
    this.linger()
  }

  private closed(): void {
    for (const exchange of this.exchanges) exchange.lose()
    endDeadline(this)
    if (!this.session.destroyed) this.session.destroy()
    this.server.gone(this)
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** Tells the peer, and ends when nothing is asked any more. */
  private end(): void {
    if (!this.session.closed && !this.session.destroyed) this.session.close()
    if (this.exchanges.size === 0) this.linger()
  }

  private linger(): void {
    this.ending = true
    if (!this.stream.destroyed) this.server.lingering.begin(this)
  }

  onDeadline(): void {
    if (!this.ending) this.end()
    // Who takes nothing is cut elsewhere.
    else if (this.queuedBytes > 0) this.server.lingering.begin(this)
    else this.stream.destroy()
  }

  /**
   * What is under way is answered; what was asked behind that, the peer knows to be safe to ask again elsewhere (RFC 9113 §6.8). One
   * that has just come may ask still.
   */
  drain(): void {
    const { quiet } = this.server
    for (const exchange of this.exchanges) exchange.drain()
    if (this.ending || this.session.destroyed) return
    if (this.requests > 0 || performance.now() - this.restSince >= quiet.millis) this.end()
    else quiet.begin(this)
  }

  // --- peers that take nothing ----------------------------------------------------------------------------

  /** What the system has not taken yet. */
  private get queuedBytes(): number {
    return NodeHttpSocket.queuedBytes(this.stream)
  }

  stuckSince(now: number): number {
    const { sendTimeout } = this.server.limits
    for (const exchange of this.exchanges) exchange.cutIfStuck(now, sendTimeout)
    const pending = this.queuedBytes
    if (pending === 0 || pending !== this.pendingBytes) this.pendingSince = now
    this.pendingBytes = pending
    return this.pendingSince
  }
}
