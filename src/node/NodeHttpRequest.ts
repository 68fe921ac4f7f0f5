/** A request as applications see it: Effect's `HttpServerRequest`. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import { HttpServerError, RequestParseError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import type { BodyError } from "./NodeHttpBody.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { HttpExchange } from "./NodeHttpExchange.ts"
import { absolute } from "./NodeHttpFault.ts"
import { NodeHttpSpent } from "./NodeHttpSpent.ts"
import * as NodeWebSocketSocket from "./NodeWebSocketSocket.ts"

/** What middleware may have changed of a request. */
interface Changes {
  readonly url?: string | undefined
  readonly headers?: Headers.Headers | undefined
  readonly remoteAddress?: Option.Option<string> | undefined
  readonly peerAddress?: Option.Option<string> | undefined
  readonly protocol?: "http" | "https" | undefined
}

type Modify = HttpServerRequest.HttpServerRequest["modify"]

export class NodeHttpRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: typeof HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly url: string
  private readonly changes: Changes
  private readonly origin: Origin
  private ownHeaders: Headers.Headers | undefined = undefined
  private ownCookies: Readonly<Record<string, string>> | undefined = undefined

  constructor(origin: HttpExchange | Origin, changes: Changes = unchanged) {
    super()
    this.origin = origin instanceof Origin ? origin : new Origin(origin)
    this.changes = changes
    this.url = changes.url ?? originForm(this.exchange.request.url ?? "/")
  }

  modify(changes: Parameters<Modify>[0]): NodeHttpRequest {
    return new NodeHttpRequest(this.origin, { ...this.changes, ...changes })
  }

  get exchange(): HttpExchange {
    return this.origin.exchange
  }

  /** Its connection went on with another protocol. */
  spend(transport: Transport): void {
    this.origin.exchange = new NodeHttpSpent(this.exchange, transport)
  }

  get source(): HttpExchange["request"] {
    return this.exchange.request
  }

  get method(): string {
    return this.source.method ?? "GET"
  }

  get originalUrl(): string {
    const { url = "/" } = this.source
    const { host } = this.source.headers
    if (!url.startsWith("/") || host === undefined) return url
    return `${this.exchange.host.transport.security._tag === "Tls" ? "https" : "http"}://${host}${url}`
  }

  get protocol(): "http" | "https" | undefined {
    return this.changes.protocol
  }

  get headers(): Headers.Headers {
    return (this.ownHeaders ??= this.changes.headers ?? headersOf(this.source))
  }

  get cookies(): Readonly<Record<string, string>> {
    return (this.ownCookies ??= Cookies.parseHeader(this.headers["cookie"] ?? ""))
  }

  get remoteAddress(): Option.Option<string> {
    if (this.changes.remoteAddress !== undefined) return this.changes.remoteAddress
    const { peer } = this.exchange.host.transport
    return NetAddress.isInetAddress(peer) ? Option.some(NetAddress.formatIp(peer.address)) : Option.none()
  }

  get peerAddress(): Option.Option<string> {
    return this.changes.peerAddress ?? this.remoteAddress
  }

  // --- body ---------------------------------------------------------------------------------------------

  private get bytes(): Effect.Effect<Uint8Array<ArrayBuffer>, HttpServerError> {
    return (this.origin.bytes ??= cached(
      Effect.withFiber((fiber) =>
        Effect.mapError(this.exchange.body.whole(bodyMax(fiber)), (error) => this.error(error))
      )
    ))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpServerError> {
    return Effect.map(this.bytes, ({ buffer }) => buffer)
  }

  get text(): Effect.Effect<string, HttpServerError> {
    return Effect.map(this.bytes, (bytes) => decoder.decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpServerError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: () => (text === "" ? null : (JSON.parse(text) as Schema.Json)),
        catch: (cause) => this.parseError("the body is no JSON", cause)
      })
    )
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpServerError> {
    // A `?` in front is a part of the first name; `URLSearchParams` would take it off.
    return Effect.map(this.bytes, (bytes) =>
      UrlParams.fromInput(new URLSearchParams(formDecoder.decode(bytes).replace(/^\?/, "%3F")))
    )
  }

  get stream(): Stream.Stream<Uint8Array, HttpServerError> {
    return Stream.unwrap(
      Effect.withFiber((fiber) =>
        Effect.succeed(
          Stream.mapError(this.exchange.body.pieces(bodyMax(fiber)), (error) => this.error(error))
        )
      )
    )
  }

  get multipart(): Effect.Effect<
    Multipart.Persisted,
    Multipart.MultipartError,
    FileSystem.FileSystem | Path.Path | Scope.Scope
  > {
    return (this.origin.multipart ??= cached(Multipart.toPersisted(this.multipartStream)))
  }

  get multipartStream(): Stream.Stream<Multipart.Part, Multipart.MultipartError> {
    return Stream.pipeThroughChannel(
      Stream.mapError(this.stream, multipartError),
      Multipart.makeChannel(this.headers)
    )
  }

  // --- upgrade ------------------------------------------------------------------------------------------

  get upgrade(): Effect.Effect<Socket.Socket, HttpServerError> {
    return this.upgradeWith({})
  }

  upgradeWith({
    headers = {}
  }: {
    readonly headers?: Headers.Input | undefined
  }): Effect.Effect<Socket.Socket, HttpServerError> {
    if (this.exchange.upgrade === undefined) {
      return Effect.fail(
        this.parseError("this is no request for a WebSocket, and there is no other protocol")
      )
    }
    return Object.keys(Headers.fromInput(headers)).length === 0
      ? Effect.sync(() => NodeWebSocketSocket.ofRequest(this))
      : Effect.fail(this.parseError("the answer to a WebSocket's handshake has no fields of others"))
  }

  // --- errors and looks ---------------------------------------------------------------------------------

  private error({ cause, detail, reason }: BodyError): HttpServerError {
    return new HttpServerError({
      reason: new RequestParseError({ request: this, reason, description: detail, cause })
    })
  }

  private parseError(description: string, cause?: unknown): HttpServerError {
    return new HttpServerError({ reason: new RequestParseError({ request: this, description, cause }) })
  }

  override toString(): string {
    return `HttpServerRequest(${this.method} ${UrlParams.redactUrl(this.url)})`
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "HttpServerRequest",
      method: this.method,
      url: UrlParams.redactUrl(this.originalUrl)
    })
  }
}

/** All that were made of one request read its body together, and hear of its end. */
class Origin {
  exchange: HttpExchange
  bytes: Effect.Effect<Uint8Array<ArrayBuffer>, HttpServerError> | undefined = undefined
  multipart: NodeHttpRequest["multipart"] | undefined = undefined

  constructor(exchange: HttpExchange) {
    this.exchange = exchange
  }
}

const unchanged: Changes = {}

const cached = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.runSync(Effect.cached(effect))

const decoder = new TextDecoder()
const formDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

const bodyMax = (fiber: Fiber.Fiber<unknown, unknown>): number => {
  const max = fiber.getRef(HttpIncomingMessage.MaxBodySize)
  return max === undefined ? Number.POSITIVE_INFINITY : Number(max)
}

const multipartError = (error: HttpServerError): Multipart.MultipartError =>
  Multipart.MultipartError.fromReason(
    error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
      ? "BodyTooLarge"
      : "InternalError",
    error
  )

const originForm = (target: string): string => {
  if (target.startsWith("/")) return target
  const url = absolute(target)
  return url === undefined ? target : url.pathname + url.search
}

/** The authority of an absolute target stands above `Host`. */
const headersOf = ({ headers, url = "/" }: HttpExchange["request"]): Headers.Headers => {
  const host = url.startsWith("/") ? undefined : absolute(url)?.host
  return Headers.fromInput((host === undefined ? headers : { ...headers, host }) as Headers.Input)
}
