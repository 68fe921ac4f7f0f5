/**
 * HTTP on connections from anywhere: Node's own server, which never listens, is given them one by one; those that have chosen
 * HTTP/2, its nghttp2.
 *
 * It parses (llhttp, strictly), keeps answers in order, and times headers, bodies and pauses. What is here: limits that it does
 * not have, peers that take nothing, and an end that loses no answer.
 */
import * as http from "node:http"
import type * as http2 from "node:http2"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Latch from "effect/Latch"
import { DenseSet, type Slotted } from "../reactor/DenseSet.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { DeadlineQueue } from "./DeadlineQueue.ts"
import { type Http2Host, NodeHttp2Connection, sessionOptions } from "./NodeHttp2Connection.ts"
import { type ConnectionHost, type HttpConnection, NodeHttpConnection } from "./NodeHttpConnection.ts"
import { type HttpExchange, NodeHttpExchange } from "./NodeHttpExchange.ts"
import * as NodeHttpFault from "./NodeHttpFault.ts"
import { checkingInterval, type Limits } from "./NodeHttpLimits.ts"
import { NodeHttpPeers } from "./NodeHttpPeers.ts"
import { NodeHttpPreface, type PrefaceHost } from "./NodeHttpPreface.ts"
import { NodeHttpRequest } from "./NodeHttpRequest.ts"
import * as NodeHttpSocket from "./NodeHttpSocket.ts"
import * as NodeWebSocketHandshake from "./NodeWebSocketHandshake.ts"

/** What a server has seen, and has now. */
export interface Counts {
  /** Connections now open. */
  readonly open: number
  /** Connections taken since the start. */
  readonly accepted: number
  /** Connections closed at once because `connectionsMax` were open, or `connectionsPerPeerMax` of that peer. */
  readonly refused: number
  /** Requests that were understood. */
  readonly requests: number
  /** Requests that are being answered. */
  readonly active: number
}

/** How a server that stops ends what comes to it. */
export interface Ending {
  /** Closes the port; over when what has come in is accepted. */
  readonly settle: Effect.Effect<void>
  readonly stopAccepting: Effect.Effect<void>
  /** Tells answers without an end, once each is known to be the last on its connection. */
  readonly tell: Effect.Effect<void>
}

/** A request that is being answered. */
interface Running extends Slotted {
  readonly fiber: Fiber.Fiber<void>
}

/** A peer is let read what it was sent, before its connection is closed over what it sends. */
const lingerMillis = 1_000

export class NodeHttpConnections implements ConnectionHost, Http2Host, PrefaceHost {
  readonly lingering = new DeadlineQueue(lingerMillis)
  readonly halfClosed: DeadlineQueue
  readonly quiet: DeadlineQueue
  readonly beginning: DeadlineQueue
  readonly idle: DeadlineQueue
  readonly uploads: DeadlineQueue
  readonly requestsMax: number
  readonly limits: Limits
  private readonly context: Context.Context<never>
  private readonly handled: Effect.Effect<void>
  readonly run: NodeHttpSocket.Run
  private readonly server: http.Server
  private readonly sessionOptions: http2.ServerSessionOptions
  private readonly connections = new DenseSet<HttpConnection>()
  private readonly peers: NodeHttpPeers<HttpConnection>
  private readonly running = new DenseSet<Running>()
  private readonly empty = Latch.makeUnsafe(true)
  private readonly drained = Deferred.makeUnsafe<void>()
  private sending: NodeJS.Timeout | undefined = undefined
  isDraining = false
  private accepted = 0
  private refused = 0
  private requests = 0

  /** `handled` answers the request in its context; it runs once for each, in a fiber of its own. `peerOf`: who is at the other side. */
  constructor(
    limits: Limits,
    context: Context.Context<never>,
    handled: Effect.Effect<void>,
    peerOf: (transport: Transport) => string
  ) {
    this.limits = limits
    this.peers = new NodeHttpPeers(limits.connectionsPerPeerMax, peerOf)
    this.requestsMax = limits.requestsPerConnectionMax
    this.halfClosed = new DeadlineQueue(limits.halfClosedTimeout)
    this.quiet = new DeadlineQueue(limits.drainIdleTimeout)
    this.beginning = new DeadlineQueue(limits.headerTimeout)
    this.idle = new DeadlineQueue(limits.keepAliveTimeout)
    this.uploads = new DeadlineQueue(limits.requestTimeout)
    this.sessionOptions = sessionOptions(limits)
    // Flat: what each request adds is kept as layers of it, and few of them are. Above that, all of it is copied.
    this.context = Context.makeUnsafe(new Map(context.mapUnsafe))
    this.handled = handled
    this.run = Effect.runForkWith(context)
    this.server = this.makeServer()
  }

  get counts(): Counts {
    const { accepted, refused, requests } = this
    return { open: this.connections.size, accepted, refused, requests, active: this.running.size }
  }

  private makeServer(): http.Server {
    const { limits } = this
    const server = http.createServer({
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headerTimeout,
      requestTimeout: limits.requestTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
      connectionsCheckingInterval: checkingInterval(Math.min(limits.headerTimeout, limits.requestTimeout)),
      // Whatever the process was started with.
      insecureHTTPParser: false,
      // `NodeHttpFault` looks at it.
      requireHostHeader: false,
      rejectNonStandardBodyWrites: false,
      // Any other protocol is not asked for, as far as we are concerned. What does not know the option asks for all of them.
      shouldUpgradeCallback: (request: http.IncomingMessage) => this.mayUpgrade(request),
      // Has no stream for a body that nobody sends; what does not know the option does without.
      optimizeEmptyRequests: true
    } as http.ServerOptions)
    // One more than is allowed tells that there are too many: Node would drop the rest without a word.
    server.maxHeadersCount = limits.headersMax + 1
    // Whoever has asked may end its own side, and is answered all the same.
    ;(server as http.Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true
    server.on("request", (request, response) => this.begin(request, response, this.faultOf(request), false))
    server.on("checkContinue", (request, response) =>
      this.begin(request, response, this.faultOf(request), true)
    )
    server.on("checkExpectation", (request, response) => this.begin(request, response, 417, false))
    server.on("upgrade", (request, _, surplus) => this.beginUpgrade(request, surplus))
    server.on("clientError", (error, socket) => NodeHttpConnection.of(socket)?.failed(error))
    server.on("timeout", (socket) => NodeHttpConnection.of(socket)?.end())
    server.on("connect", ({ socket }) => NodeHttpConnection.of(socket)?.refuse(501))
    // Has it watch its deadlines; it does so when it listens, else.
    server.emit("listening")
    return server
  }

  /** Serves the connection, to its end. */
  readonly accept = (transport: Closeable): void => {
    if (this.connections.size >= this.limits.connectionsMax || !this.peers.hasPlace(transport)) {
      this.refused++
      this.run(transport.close)
      return
    }
    this.accepted++
    const { security } = transport
    if (security._tag === "Plain" && this.limits.http2PriorKnowledge) return this.look(transport)
    const connection = this.serve(transport, security._tag === "Tls" && security.alpn === "h2")
    // Its handshake was under way when the server was stopped.
    if (this.isDraining) connection.drain()
  }

  private look(transport: Closeable): void {
    const preface = new NodeHttpPreface(transport, this)
    this.keep(preface)
    preface.begin()
    if (this.isDraining) preface.drain()
  }

  chosen(preface: NodeHttpPreface, isHttp2: boolean): void {
    const connection = this.serve(preface.transport, isHttp2)
    this.gone(preface)
    if (this.isDraining) connection.drain()
  }

  private keep(connection: HttpConnection): void {
    this.connections.add(connection)
    this.peers.enter(connection)
    this.empty.closeUnsafe()
    this.sending ??= this.watchSending()
  }

  private serve(transport: Closeable, isHttp2: boolean): HttpConnection {
    const stream = NodeHttpSocket.of(transport, this.run)
    if (isHttp2) {
      NodeHttpSocket.keep(transport, stream)
      const connection = new NodeHttp2Connection(transport, stream, this, this.sessionOptions)
      this.keep(connection)
      return connection
    }
    const connection = new NodeHttpConnection(transport, stream, this)
    this.keep(connection)
    this.server.emit("connection", stream as never)
    if (stream.isPaused()) stream.resume()
    return connection
  }

  private faultOf(request: http.IncomingMessage): number | undefined {
    return NodeHttpFault.of(request, this.limits)
  }

  private mayUpgrade(request: http.IncomingMessage): boolean {
    const { headers, method } = request
    return (
      NodeWebSocketHandshake.isAskedBy(request) &&
      method === "GET" &&
      headers["content-length"] === undefined &&
      headers["transfer-encoding"] === undefined &&
      this.faultOf(request) === undefined
    )
  }

  private beginUpgrade(request: http.IncomingMessage, surplus: Uint8Array): void {
    const connection = NodeHttpConnection.of(request.socket)
    if (connection === undefined || connection.isDone) return
    const response = new http.ServerResponse(request)
    const exchange = new NodeHttpExchange(request, response, connection, this.faultOf(request), false)
    response.on("close", () => connection.over(exchange))
    connection.takeUpgrade(exchange, surplus)
  }

  private begin(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    fault: number | undefined,
    expectsContinue: boolean
  ): void {
    const connection = NodeHttpConnection.of(request.socket)
    if (connection === undefined || connection.isDone) return
    const exchange = new NodeHttpExchange(request, response, connection, fault, expectsContinue)
    response.on("close", () => connection.over(exchange))
    connection.take(exchange)
  }

  /** It is its turn. */
  answer(exchange: HttpExchange): void {
    exchange.begin()
    if (exchange.fault !== undefined) {
      exchange.refuse(exchange.fault)
      return
    }
    this.requests++
    const context = Context.add(this.context, HttpServerRequest, new NodeHttpRequest(exchange))
    const fiber = Effect.runForkWith(context)(this.handled)
    exchange.answeredBy(fiber)
    if (fiber.pollUnsafe() !== undefined) return
    const running: Running = { fiber, slot: -1 }
    this.running.add(running)
    fiber.addObserver(() => {
      this.running.delete(running)
      this.lookEmpty()
    })
  }

  gone(connection: HttpConnection): void {
    this.connections.delete(connection)
    this.peers.leave(connection)
    this.lookEmpty()
  }

  switched(connection: HttpConnection, next: HttpConnection): void {
    this.connections.delete(connection)
    this.connections.add(next)
    this.peers.follow(connection, next)
    if (this.isDraining) next.drain()
  }

  private lookEmpty(): void {
    if (this.isEmpty) this.empty.openUnsafe()
    else this.empty.closeUnsafe()
  }

  private get isEmpty(): boolean {
    return this.connections.size === 0 && this.running.size === 0
  }

  abort(transport: Closeable): void {
    this.run(transport.abort)
  }

  /** Cuts peers that take nothing of what waits for them. */
  private watchSending(): NodeJS.Timeout {
    const { sendTimeout } = this.limits
    return setInterval(() => {
      if (this.connections.size === 0) return this.endWatching()
      const now = performance.now()
      for (const connection of this.connections) {
        if (connection.stuckSince(now) <= now - sendTimeout) this.abort(connection.transport)
      }
    }, checkingInterval(sendTimeout)).unref()
  }

  /** Not as soon as the last connection has gone: where one comes after the other, each would start it anew. */
  private endWatching(): void {
    clearInterval(this.sending)
    this.sending = undefined
  }

  /**
   * Ends what does nothing at once, and the others behind their answers, those too whose handshake is under way; after
   * `drainTimeout` interrupts those, and after `interruptTimeout` resets what is left. Over when nothing is. Whoever asks first
   * starts it; nobody ends it.
   */
  drainAfter(ending: Ending): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.isDraining) {
        this.isDraining = true
        this.run(Deferred.into(this.drain(ending), this.drained))
      }
      return Deferred.await(this.drained)
    })
  }

  private drain({ settle, stopAccepting, tell }: Ending): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const settling = yield* Effect.forkChild(settle, { startImmediately: true })
      const isSettled = settling.pollUnsafe() !== undefined
      if (isSettled) yield* stopAccepting
      for (const connection of this.connections) connection.drain()
      this.lookEmpty()
      yield* tell
      yield* this.emptyWithin(this.limits.drainTimeout, isSettled ? Effect.void : Fiber.await(settling))
      if (!isSettled) yield* Effect.andThen(Fiber.interrupt(settling), stopAccepting)
      for (const { fiber } of this.running) fiber.interruptUnsafe()
      yield* this.emptyWithin(this.limits.interruptTimeout)
      for (const { transport } of this.connections) yield* transport.abort
      yield* this.empty.await
      this.endWatching()
      this.server.close()
    })
  }

  /** At most so long, once `before` is over, if that is something. */
  private emptyWithin(millis: number, before: Effect.Effect<unknown> = Effect.void): Effect.Effect<void> {
    const empty = Effect.suspend(() => (this.isEmpty ? Effect.void : this.empty.await))
    return Effect.suspend(() =>
      before === Effect.void && this.isEmpty
        ? Effect.void
        : Effect.asVoid(Effect.timeoutOption(Effect.andThen(before, empty), millis))
    )
  }
}
