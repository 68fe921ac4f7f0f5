import * as http from "node:http"
import type { Duplex } from "node:stream"
import type { Closeable } from "../reactor/Transport.ts"
import type { DeadlineQueue, Timed } from "./DeadlineQueue.ts"
import type { ExchangeHost, NodeHttpExchange } from "./NodeHttpExchange.ts"
import * as NodeHttpSocket from "./NodeHttpSocket.ts"

/** A stream knows its connection: Node's events come with the stream. */
const connectionOf = Symbol("spindle/NodeHttpConnection")

interface Linked extends Duplex {
  [connectionOf]?: NodeHttpConnection
  destroySoon?: () => void
}

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly isDraining: boolean
  readonly lingering: DeadlineQueue<NodeHttpConnection>
  readonly gone: (connection: NodeHttpConnection) => void
}

/** One connection, from accept to close, and what is asked on it. */
export class NodeHttpConnection implements ExchangeHost, Timed {
  readonly transport: Closeable
  deadline: Timed["deadline"] = undefined
  private readonly stream: Linked
  private readonly server: ConnectionHost
  private readonly exchanges = new Set<NodeHttpExchange>()
  private readonly destroyAfterWrites: (() => void) | undefined
  private ending = false
  /** Nothing that comes can be understood any more. */
  private isDeaf = false
  /** Bytes that had come when it was last at rest. */
  private bytesAtRest: number
  private pendingBytes = 0
  private pendingSince = 0

  static of(stream: Duplex): NodeHttpConnection | undefined {
    return (stream as Linked)[connectionOf]
  }

  constructor(transport: Closeable, stream: Duplex, server: ConnectionHost) {
    this.transport = transport
    this.stream = stream
    this.server = server
    this.bytesAtRest = NodeHttpSocket.bytesRead(stream)
    this.stream[connectionOf] = this
    this.destroyAfterWrites = this.stream.destroySoon?.bind(stream)
    // What Node does behind the last answer: over unread input it would take that answer from the peer.
    this.stream.destroySoon = () => this.end()
    stream.on("close", () => this.closed())
  }

  get isEnding(): boolean {
    return this.ending
  }

  get isLast(): boolean {
    return this.server.isDraining || this.isDeaf
  }

  // --- requests -----------------------------------------------------------------------------------------

  begun(exchange: NodeHttpExchange): void {
    this.exchanges.add(exchange)
  }

  /** Answered, or lost. */
  over(exchange: NodeHttpExchange): void {
    this.exchanges.delete(exchange)
    if (!exchange.response.writableEnded) exchange.lose()
    this.bytesAtRest = NodeHttpSocket.bytesRead(this.stream)
    if (this.isLast && this.exchanges.size === 0) this.end()
  }

  private closed(): void {
    for (const exchange of this.exchanges) if (!exchange.response.writableEnded) exchange.lose()
    this.server.gone(this)
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** Ends it behind what was written; what is unread is read a while longer, so that no reset overtakes the answer. */
  readonly end = (): void => {
    if (this.ending) return
    this.ending = true
    const { stream } = this
    if (stream.destroyed) return
    const isRead = ![...this.exchanges].some(({ request }) => !request.complete) && !this.isDeaf
    if (isRead && this.destroyAfterWrites !== undefined) return this.destroyAfterWrites()
    stream.end()
    this.server.lingering.begin(this)
  }

  onDeadline(): void {
    this.stream.destroy()
  }

  /** Nothing more will be asked for on it. */
  drain(): void {
    for (const { response } of this.exchanges) if (!response.headersSent) response.shouldKeepAlive = false
    if (this.exchanges.size === 0 && NodeHttpSocket.bytesRead(this.stream) === this.bytesAtRest) this.end()
  }

  /** Answers what was no request, and ends. */
  refuse(status: number): void {
    const { stream } = this
    if (this.ending) return
    this.isDeaf = true
    if (!stream.writable) return void stream.destroy()
    stream.write(
      `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
    )
    this.end()
  }

  /** What came is no HTTP, took too long, or the connection is lost. */
  failed(error: Error): void {
    const { code = "" } = error as NodeJS.ErrnoException
    const status = statusOf(code)
    const { stream } = this
    if (status === undefined || stream.destroyed) return void stream.destroy()
    if (this.ending || this.isDeaf) return
    const current = [...this.exchanges]
    if (current.length === 0) return this.refuse(status)
    if (current.every(({ request }) => request.complete)) {
      // Its fault is behind requests that are none: those are answered.
      this.isDeaf = true
      for (const { response } of current) if (!response.headersSent) response.shouldKeepAlive = false
      return
    }
    const [only] = current
    if (current.length > 1 || only!.response.headersSent) return void stream.destroy()
    only!.lose()
    this.refuse(status)
  }

  // --- peers that take nothing ----------------------------------------------------------------------------

  /** Since when nothing was taken of what waits; now, if nothing does. */
  stuckSince(now: number): number {
    const pending = NodeHttpSocket.pendingBytes(this.stream)
    if (pending === 0 || pending !== this.pendingBytes) this.pendingSince = now
    this.pendingBytes = pending
    return this.pendingSince
  }
}

/** Undefined: the connection is lost, and nobody there to be told. */
const statusOf = (code: string): number | undefined => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return 431
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return 413
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return 408
    default:
      return code.startsWith("HPE_") ? 400 : undefined
  }
}
