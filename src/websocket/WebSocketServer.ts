/**
 * The server's side: routes of Effect's `HttpRouter`, served by `spindle/http` on any endpoint.
 *
 * ```ts
 * const echo = WebSocketServer.route("/echo", (socket) => socket.receiveEach(socket.send))
 * ```
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Scope from "effect/Scope"
import { NodeHttpRequest } from "../node/NodeHttpRequest.ts"
import * as NodeWebSocketAccept from "../node/NodeWebSocketAccept.ts"
import type { NodeWebSocketConnection } from "../node/NodeWebSocketConnection.ts"
import * as NodeWebSocketLimits from "../node/NodeWebSocketLimits.ts"
import * as KeepAlive from "./KeepAlive.ts"
import { isOver, type WebSocket } from "./WebSocket.ts"
import { Rejected, WebSocketError } from "./WebSocketError.ts"

export type { Origins } from "../node/NodeWebSocketAccept.ts"

export interface Options extends NodeWebSocketLimits.Options, KeepAlive.Options {
  /** Subprotocols that are spoken; of those that a client names, the first one that is among them is taken. Default: none. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /**
   * Whose pages may connect; others are answered with 403, and who is no browser sends no origin. `"same"`: those of the host
   * that was asked. Default `"same"`, since a browser sends the cookies of this site along, whichever site asks.
   */
  readonly origins?: NodeWebSocketAccept.Origins | undefined
}

/** A protocol is a function of a connection. What it gives is of no interest. */
export type Protocol<E, R> = (socket: WebSocket) => Effect.Effect<unknown, E, R>

/**
 * Answers the handshake of the request that is being handled; the scope closes the WebSocket. To be made once, and run for
 * each request. Fails as `Rejected` where the request is none for it, and can be answered otherwise then (`rejection`).
 */
export const upgrade = (
  options: Options = {}
): Effect.Effect<WebSocket, WebSocketError, HttpServerRequest | Scope.Scope> => {
  const accepting = accept(options)
  return Effect.uninterruptible(
    Effect.flatMap(accepting, (connection) =>
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.as(
          Scope.addFinalizerExit(scope, (exit) => connection.shutdown(exit)),
          connection
        )
      )
    )
  )
}

/** Whoever gets the connection owes its `shutdown`. */
const accept = (
  options: Options = {}
): Effect.Effect<NodeWebSocketConnection, WebSocketError, HttpServerRequest> => {
  const limits = NodeWebSocketLimits.make(options)
  const keepAlive = new KeepAlive.KeepAlive(options)
  const terms = { protocols: options.protocols ?? [], origins: options.origins ?? "same" }
  return Effect.flatMap(HttpServerRequest, (request) =>
    request instanceof NodeHttpRequest
      ? Effect.tap(NodeWebSocketAccept.accept(request, terms, limits), (connection) =>
          keepAlive.watch(connection)
        )
      : otherwise
  )
}

/** HTTP/2 would ask by other means (RFC 8441); servers that are not ours have `request.upgrade`. */
const otherwise = Effect.fail(
  new WebSocketError({
    operation: "upgrade",
    reason: new Rejected({ status: 400, detail: "there is no upgrade on this connection", headers: {} })
  })
)

/** How to answer a request that could not be upgraded. */
export const rejection = ({ reason }: WebSocketError): HttpServerResponse.HttpServerResponse =>
  reason instanceof Rejected
    ? HttpServerResponse.text(`${reason.detail}\n`, { status: reason.status, headers: reason.headers })
    : HttpServerResponse.empty({ status: 400 })

/** What the protocol's errors are but the end of the connection. */
type Rest<E> = Exclude<E, WebSocketError | Cause.Done<unknown>>

/**
 * The handler of a route: upgrades, runs the protocol, closes. Requests that are no handshake are answered with 4xx. That the
 * peer went or broke the protocol is no failure of the handler; anything else is, and a Close with 1011.
 */
export const handler = <E, R>(
  protocol: Protocol<E, R>,
  options?: Options
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Rest<E>,
  HttpServerRequest | Exclude<R, Scope.Scope>
> => {
  // What lives as long as a connection is made once for all of them, as far as that goes: there may be many, and idle.
  const accepting = Effect.mapError(accept(options), (error) => new Unopened(rejection(error)))
  const handled = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(accepting, (connection) =>
      owned(connection, restore(Effect.suspend(() => protocol(connection))))
    )
  )
  return handled.pipe(Effect.as(switched), Effect.catch(answer)) as Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    Rest<E>,
    HttpServerRequest | Exclude<R, Scope.Scope>
  >
}

/** The request is answered otherwise. */
class Unopened {
  readonly response: HttpServerResponse.HttpServerResponse
  constructor(response: HttpServerResponse.HttpServerResponse) {
    this.response = response
  }
}

const answer = <E>(error: E): Effect.Effect<HttpServerResponse.HttpServerResponse, E> => {
  if (error instanceof Unopened) return Effect.succeed(error.response)
  return isOver(error) ? Effect.succeed(switched) : Effect.fail(error)
}

/** As `Effect.scoped`; behind what its scope closes, the connection is closed. */
const owned = <A, E, R>(
  connection: NodeWebSocketConnection,
  used: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.withFiber((fiber) => {
    const { context } = fiber
    const scope = Scope.makeUnsafe()
    fiber.setContext(Context.add(context, Scope.Scope, scope))
    return Effect.onExit(used, (exit) => {
      fiber.setContext(context)
      return Effect.ensuring(Scope.close(scope, exit), connection.shutdown(exit))
    }) as Effect.Effect<A, E, Exclude<R, Scope.Scope>>
  })

/** Is not sent: for who logs answers. */
const switched = HttpServerResponse.empty({ status: 101 })

/** A route of `HttpRouter`. */
export const route = <E, R>(path: HttpRouter.PathInput, protocol: Protocol<E, R>, options?: Options) =>
  HttpRouter.add("GET", path, handler(protocol, options))
