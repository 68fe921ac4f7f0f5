import * as http from "node:http"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type { Slotted } from "../reactor/DenseSet.ts"
import type { Closeable } from "../reactor/Transport.ts"
import { type DeadlineQueue, endDeadline, type Timed } from "./DeadlineQueue.ts"
import type { ExchangeHost, HttpExchange, NodeHttpExchange } from "./NodeHttpExchange.ts"
import * as NodeHttpSocket from "./NodeHttpSocket.ts"
import { NodeHttpSwitched } from "./NodeHttpSwitched.ts"
import { NodeHttpUpgrade } from "./NodeHttpUpgrade.ts"

/** A stream knows its connection: Node's events come with the stream. */
const connectionOf = Symbol("spindle/NodeHttpConnection")

interface Linked extends Duplex {
  [connectionOf]?: NodeHttpConnection | NodeHttpSwitched | undefined
  destroySoon?: (() => void) | undefined
}

/** A connection of whatever version. */
export interface HttpConnection extends Slotted {
  readonly transport: Closeable
  /** The server stops. */
  readonly drain: () => void
  /** Since when nothing was taken of what waits, at this time; now, if nothing does. */
  readonly stuckSince: (now: number) => number
}

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly isDraining: boolean
  /** Requests on one connection; 0: no limit. */
  readonly requestsMax: number
  /** Those that ended, and wait for the peer to do so. */
  readonly lingering: DeadlineQueue
  /** Those whose peer has ended its side before it was answered. */
  readonly halfClosed: DeadlineQueue
  /** Those that may still ask while the server stops. */
  readonly quiet: DeadlineQueue
  readonly answer: (exchange: HttpExchange) => void
  readonly gone: (connection: HttpConnection) => void
  /** It goes on as something else. */
  readonly switched: (connection: HttpConnection, next: HttpConnection) => void
  readonly run: NodeHttpSocket.Run
}

/** Requests that wait behind the one that is being answered, above which no more is read. */
const waitingMax = 16

/** One connection, from accept to close, and what is asked on it. */
export class NodeHttpConnection implements HttpConnection, ExchangeHost, Timed {
  readonly transport: Closeable
  slot = -1
  deadline: Timed["deadline"] = undefined
  private readonly stream: Linked
  private readonly server: ConnectionHost
  /** The first is being answered, the others wait for that. */
  private readonly exchanges: Array<NodeHttpExchange> = []
  private requests = 0
  private ending = false
  /** No other request than those that are here is answered. */
  private isClosing = false
  /** Nothing that comes can be understood any more. */
  private isDeaf = false
  private isHeld = false
  private isKept = false
  /** The peer has said that it asks no more. */
  private isLastAsked = false
  /** Bytes that had come when it was last at rest, and when that was. */
  private bytesAtRest: number
  private restSince = performance.now()
  private pendingBytes = 0
  private pendingSince = 0
  private bytesSeen = 0

  static of(stream: Duplex): NodeHttpConnection | undefined {
    const connection = (stream as Linked)[connectionOf]
    return connection instanceof NodeHttpConnection ? connection : undefined
  }

  constructor(transport: Closeable, stream: Duplex, server: ConnectionHost) {
    this.transport = transport
    this.stream = stream
    this.server = server
    this.bytesAtRest = NodeHttpSocket.bytesRead(stream)
    this.stream[connectionOf] = this
    // What Node does behind the last answer: over unread input it would take that answer from the peer.
    this.stream.destroySoon = this.end
    stream.on("end", onEnd)
    stream.on("close", onClose)
    // Node listens for it until a CONNECT only.
    stream.on("error", onError)
  }

  /** Whether what is asked now would not be answered. */
  get isDone(): boolean {
    return this.ending || this.isClosing
  }

  isLast(exchange: NodeHttpExchange): boolean {
    return this.isClosing && this.exchanges.at(-1) === exchange
  }

  // --- requests -----------------------------------------------------------------------------------------

  /** Answers them one after the other: what comes later may rely on what came before (RFC 9112 §9.3.2). */
  take(exchange: NodeHttpExchange): void {
    const { exchanges, server, stream } = this
    exchanges.push(exchange)
    this.isLastAsked = !exchange.response.shouldKeepAlive
    const isLast = ++this.requests === server.requestsMax
    if (isLast || exchange.fault !== undefined || server.isDraining) this.isClosing = true
    if (exchanges.length === 1) {
      endDeadline(this)
      server.answer(exchange)
      if (!exchange.response.writableEnded) this.keep()
    } else if (exchanges.length > waitingMax && !this.isHeld) {
      this.isHeld = true
      stream.on("resume", this.hold)
      stream.pause()
    }
  }

  private keep(): void {
    if (this.isKept) return
    this.isKept = true
    NodeHttpSocket.keep(this.transport, this.stream)
  }

  /** Node resumes it for each body that it reads, even if that is over. */
  private readonly hold = (): void => {
    this.stream.pause()
  }

  private release(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.stream.off("resume", this.hold)
    this.stream.resume()
  }

  /** Answered, or lost. */
  over(exchange: NodeHttpExchange): void {
    const { exchanges } = this
    const index = exchanges.indexOf(exchange)
    if (index >= 0) exchanges.splice(index, 1)
    if (!exchange.response.writableEnded) exchange.lose()
    if (this.ending || this.stream.destroyed || index !== 0) return
    const [next] = exchanges
    if (this.isClosing && next === undefined) return this.end()
    this.keep()
    if (next === undefined) this.rest()
    else this.server.answer(next)
    if (exchanges.length <= waitingMax / 2) this.release()
  }

  private rest(): void {
    this.bytesAtRest = NodeHttpSocket.bytesRead(this.stream)
    this.restSince = performance.now()
  }

  // --- other protocols ----------------------------------------------------------------------------------

  /** The last request, which may go on with another protocol; Node has let go of the connection. */
  takeUpgrade(exchange: NodeHttpExchange, surplus: Uint8Array): void {
    const { server, stream } = this
    const { response } = exchange
    response.shouldKeepAlive = false
    // What Node does where it has not let go.
    const onDrain = () => response.emit("drain")
    stream.on("drain", onDrain)
    const give = () => {
      stream.off("drain", onDrain)
      return this.give(exchange)
    }
    exchange.upgrade = new NodeHttpUpgrade({ give, server }, surplus)
    response.on("finish", () => {
      response.detachSocket(exchange.request.socket)
      stream.off("drain", onDrain)
      this.over(exchange)
    })
    this.isClosing = true
    this.take(exchange)
  }

  /** What comes of it keeps nothing of HTTP: there may be many, for long. */
  private give(exchange: NodeHttpExchange): Effect.Effect<NodeHttpSwitched> {
    const { exchanges, server, stream } = this
    this.keep()
    exchange.response.detachSocket(exchange.request.socket)
    exchanges.length = 0
    this.ending = true
    endDeadline(this)
    stream.off("end", onEnd)
    stream.off("error", onError)
    stream.destroySoon = destroySoonOf(stream)
    return Effect.map(NodeHttpSocket.back(this.transport, stream), (transport) => {
      const switched = new NodeHttpSwitched(transport, server)
      exchange.becomes(switched)
      server.switched(this, switched)
      if (transport === this.transport) switched.watch(server.run)
      stream[connectionOf] = switched
      return switched
    })
  }

  /** Nothing was asked, and no part of it has come. */
  private get isAtRest(): boolean {
    return this.exchanges.length === 0 && NodeHttpSocket.bytesRead(this.stream) === this.bytesAtRest
  }

  /**
   * Who waits for an answer still, and who has gone, look the same: the next write tells, and the deadline if there is none.
   * @internal
   */
  inputEnded(): void {
    if (this.ending || this.exchanges.length === 0) return
    this.bytesSeen = NodeHttpSocket.bytesWritten(this.stream)
    this.server.halfClosed.begin(this)
  }

  /** @internal */
  closed(): void {
    for (const exchange of this.exchanges) if (!exchange.response.writableEnded) exchange.lose()
    endDeadline(this)
    this.server.gone(this)
    // Node's socket is promoted by V8, more often than not, before it is known to be garbage: what hangs on it would go along.
    const { stream } = this
    stream.destroySoon = destroySoonOf(stream)
    stream[connectionOf] = undefined
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** Ends it behind what was written; what still comes is read a while longer, as a reset would overtake the answer (RFC 9112 §9.6). */
  readonly end = (): void => {
    if (this.ending) return
    this.ending = true
    const { stream } = this
    if (stream.destroyed) return
    this.release()
    if (this.isAtRest || (this.isLastAsked && !this.isDeaf && this.exchanges[0]?.request.complete === true)) {
      return void stream.end(() => stream.destroy())
    }
    stream.end()
    this.server.lingering.begin(this)
    stream.resume()
  }

  onDeadline(): void {
    const { server, stream } = this
    if (this.ending) {
      // Who takes nothing is cut elsewhere.
      if (stream.writableFinished) stream.destroy()
      else server.lingering.begin(this)
    } else if (this.exchanges.length === 0) {
      if (this.isAtRest) this.end()
    } else {
      const bytes = NodeHttpSocket.bytesWritten(stream)
      if (bytes === this.bytesSeen && NodeHttpSocket.pendingBytes(stream) === 0) stream.destroy()
      else server.halfClosed.begin(this)
      this.bytesSeen = bytes
    }
  }

  /** Nothing more will be asked for on it, but what may be on its way. */
  drain(): void {
    const { quiet } = this.server
    if (this.ending) return
    if (this.exchanges.length > 0) this.isClosing = true
    else if (!this.isAtRest) return
    else if (performance.now() - this.restSince >= quiet.millis) this.end()
    else quiet.begin(this)
  }

  /** Answers what was no request, behind those that were, and ends. */
  refuse(status: number): void {
    const { stream } = this
    if (this.ending || this.isDeaf) return
    this.isClosing = true
    this.isDeaf = true
    if (this.exchanges.length > 0) return
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
    const { exchanges, stream } = this
    if (status === undefined || stream.destroyed) return void stream.destroy()
    if (this.ending || this.isDeaf) return
    const broken = exchanges.at(-1)
    // What is answered already, without its body, needs no more of it.
    if (broken?.request.complete === false && !broken.response.writableEnded) {
      if (broken.response.headersSent) return void stream.destroy()
      exchanges.pop()
      broken.lose()
    }
    this.refuse(status)
  }

  // --- peers that take nothing ----------------------------------------------------------------------------

  stuckSince(now: number): number {
    const pending = NodeHttpSocket.pendingBytes(this.stream)
    if (pending === 0 || pending !== this.pendingBytes) this.pendingSince = now
    this.pendingBytes = pending
    return this.pendingSince
  }
}

// One set of listeners serves all connections.
function onEnd(this: Linked): void {
  NodeHttpConnection.of(this)?.inputEnded()
}
function onClose(this: Linked): void {
  this[connectionOf]?.closed()
}
const onError = (): void => {}

/** As it was. */
const destroySoonOf = (stream: Linked): (() => void) | undefined =>
  (Object.getPrototypeOf(stream) as Linked).destroySoon

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
