/** The client's side. Twisted: `WebSocketClientEndpoint`. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { type Carrier, NodeWebSocketConnection } from "../node/NodeWebSocketConnection.ts"
import * as NodeWebSocketDeflate from "../node/NodeWebSocketDeflate.ts"
import { acceptanceOf, makeKey } from "../node/NodeWebSocketHandshake.ts"
import * as NodeWebSocketLimits from "../node/NodeWebSocketLimits.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as KeepAlive from "./KeepAlive.ts"
import type { WebSocket } from "./WebSocket.ts"
import * as WebSocketError from "./WebSocketError.ts"
import * as Wire from "./WebSocketHandshakeWire.ts"

/** A service of a WebSocket that lives as long as its Layer. */
export class WebSocketClient extends Context.Service<WebSocketClient, WebSocket>()(
  "spindle/WebSocketClient"
) {}

/** A `ws:` or `wss:` URL; or an endpoint of any kind, the path to ask for there, and for which host. */
export type Target =
  | string
  | URL
  | {
      readonly endpoint: Endpoint.Client
      /** Path and query. Default `/`. */
      readonly path?: string | undefined
      /** Default `localhost`. */
      readonly host?: string | undefined
    }

export interface Options extends NodeWebSocketLimits.Options, KeepAlive.Options {
  /** Subprotocols to choose from, the one liked best first. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** Further fields of the request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly origin?: string | undefined
  /** For `wss:`. */
  readonly tls?: Tls.ClientOptions | undefined
  /** How long the server may take to answer once it is connected. Default 10 seconds. */
  readonly handshakeTimeout?: Duration.Input | undefined
}

type Failure = WebSocketError.WebSocketError

/** Connects, and shakes hands; the scope closes it. Redirects are not followed: `Refused` tells where to. */
export const connect = (
  target: Target,
  options: Options = {}
): Effect.Effect<WebSocket, Failure, Reactor | Scope.Scope> => {
  const limits = NodeWebSocketLimits.make(options)
  const keepAlive = new KeepAlive.KeepAlive(options)
  const connecting = Effect.acquireRelease(
    open(target, options, limits),
    (connection, exit) => connection.shutdown(exit),
    { interruptible: true }
  )
  return Effect.tap(connecting, keepAlive.watch)
}

/** `connect` as a service. */
export const layer = (target: Target, options?: Options): Layer.Layer<WebSocketClient, Failure, Reactor> =>
  Layer.effect(WebSocketClient)(connect(target, options))

const failed = (reason: WebSocketError.Reason) =>
  Effect.fail(new WebSocketError.WebSocketError({ operation: "connect", reason }))

const invalid = (detail: string) => failed(new WebSocketError.InvalidHandshake({ detail }))

const open = (
  target: Target,
  options: Options,
  limits: NodeWebSocketLimits.Limits
): Effect.Effect<NodeWebSocketConnection, Failure, Reactor> =>
  Effect.gen(function* () {
    const place = yield* placeOf(target, options)
    const reactor = yield* Reactor
    const context = yield* Effect.context<never>()
    const scope = yield* Scope.make()
    const opening = Effect.gen(function* () {
      const transport = yield* Scope.provide(reactor.connect(place.endpoint), scope).pipe(
        Effect.catch((cause) => failed(new WebSocketError.Unreachable({ cause })))
      )
      const agreed = yield* Effect.timeoutOrElse(shakeHands(transport, place, options, limits), {
        duration: options.handshakeTimeout ?? "10 seconds",
        orElse: () => Effect.andThen(transport.abort, failed(new WebSocketError.HandshakeTimeout()))
      })
      const carrier = carrierOf(transport, Scope.close(scope, Exit.void))
      return new NodeWebSocketConnection(carrier, { isServer: false, ...agreed }, limits, context)
    })
    return yield* Effect.onError(opening, () => Scope.close(scope, Exit.void))
  })

/** A transport that its scope closes. */
const carrierOf = (transport: Transport, close: Effect.Effect<void>): Carrier => ({
  local: transport.local,
  peer: transport.peer,
  security: transport.security,
  receive: transport.receive,
  receiveEach: transport.receiveEach,
  unread: transport.unread,
  send: transport.send,
  end: transport.end,
  abort: transport.abort,
  closed: transport.closed,
  gone: transport.gone,
  startTls: transport.startTls,
  close
})

// --- where to -------------------------------------------------------------------------------------------

interface Place {
  readonly endpoint: Endpoint.Client
  readonly path: string
  readonly host: string
  readonly authorization: string | undefined
}

const placeOf = (target: Target, { tls }: Options): Effect.Effect<Place, Failure> => {
  if (typeof target === "object" && "endpoint" in target) {
    const { endpoint, host = "localhost", path = "/" } = target
    return Effect.succeed({ endpoint, path, host, authorization: undefined })
  }
  const url = URL.parse(String(target))
  const isSecure = url?.protocol === "wss:"
  if (url === null || (!isSecure && url.protocol !== "ws:") || url.hash !== "") {
    return invalid("a WebSocket has a ws: or wss: URL without a fragment")
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port)
  const named = url.username !== "" || url.password !== ""
  return Effect.succeed({
    endpoint: isSecure
      ? Endpoint.tlsClient({ host, port, tls: tls ?? {} })
      : Endpoint.tcpClient({ host, port }),
    path: url.pathname + url.search,
    host: url.host,
    authorization: named ? basic(url) : undefined
  })
}

const basic = ({ password, username }: URL): string => {
  const user = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  return `Basic ${btoa(String.fromCharCode(...user))}`
}

// --- the handshake --------------------------------------------------------------------------------------

interface Agreed {
  readonly protocol: string
  readonly deflate: NodeWebSocketDeflate.Deflate | undefined
}

const shakeHands = Effect.fnUntraced(function* (
  transport: Transport,
  place: Place,
  options: Options,
  limits: NodeWebSocketLimits.Limits
): Effect.fn.Return<Agreed, Failure> {
  const { protocols = [] } = options
  const key = makeKey()
  const offer = NodeWebSocketDeflate.offer(limits)
  const request = Wire.encode({
    target: place.path,
    fields: [
      ["Host", place.host],
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ["Sec-WebSocket-Key", key],
      ["Sec-WebSocket-Version", "13"],
      ...optional("Sec-WebSocket-Protocol", protocols.length === 0 ? undefined : protocols.join(", ")),
      ...optional("Sec-WebSocket-Extensions", offer.field),
      ...optional("Authorization", place.authorization),
      ...optional("Origin", options.origin),
      ...Object.entries(options.headers ?? {})
    ]
  })
  if (Result.isFailure(request)) return yield* invalid(request.failure)
  yield* transport
    .send(request.success)
    .pipe(Effect.catch((cause) => failed(new WebSocketError.Lost({ cause }))))
  const decoded = Wire.decode(yield* receiveHead(transport))
  if (Result.isFailure(decoded)) return yield* invalid(decoded.failure)
  const { headers, status } = decoded.success
  if (status !== 101) return yield* failed(new WebSocketError.Refused({ status, headers }))
  const fault = Wire.faultOf(decoded.success, { acceptance: acceptanceOf(key), protocols })
  if (fault !== undefined) return yield* invalid(fault)
  const deflate = yield* Effect.try({
    try: () => offer.answered(headers["sec-websocket-extensions"]),
    catch: (error) =>
      new WebSocketError.WebSocketError({
        operation: "connect",
        reason: new WebSocketError.InvalidHandshake({
          detail: error instanceof Error ? error.message : "the answer has extensions that were not asked for"
        })
      })
  })
  return { protocol: headers["sec-websocket-protocol"] ?? "", deflate }
})

const optional = (name: string, value: string | undefined): ReadonlyArray<readonly [string, string]> =>
  value === undefined ? [] : [[name, value]]

/** What came behind it stays in the transport. */
const receiveHead = Effect.fnUntraced(function* (transport: Transport): Effect.fn.Return<string, Failure> {
  let head: Uint8Array = new Uint8Array(0)
  for (;;) {
    const bytes = yield* transport.receive.pipe(
      Effect.catch((error) =>
        Cause.isDone(error)
          ? invalid("the connection ended before the answer")
          : failed(new WebSocketError.Lost({ cause: error }))
      )
    )
    const from = head.length
    const joined = new Uint8Array(from + bytes.length)
    joined.set(head)
    joined.set(bytes, from)
    head = joined
    const end = Wire.endOf(head, from)
    if (end !== undefined) {
      if (end < head.length) yield* transport.unread(head.subarray(end))
      return latin1.decode(head.subarray(0, end))
    }
    if (head.length > Wire.headBytesMax) return yield* invalid("the answer's header is too long")
  }
})

const latin1 = new TextDecoder("latin1")
