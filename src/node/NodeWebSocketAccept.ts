/** From a request to a WebSocket: the handshake answered, the connection taken from HTTP. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Transport } from "../reactor/Transport.ts"
import { type HttpExchange, NodeHttpExchange } from "./NodeHttpExchange.ts"
import type { NodeHttpSwitched } from "./NodeHttpSwitched.ts"
import { type Agreed, NodeWebSocketConnection } from "./NodeWebSocketConnection.ts"
import { Lost, Rejected, WebSocketError } from "./NodeWebSocketError.ts"
import * as Handshake from "./NodeWebSocketHandshake.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

export type { Origins, Terms } from "./NodeWebSocketHandshake.ts"

/** A request that may ask for a WebSocket. */
export interface Upgradable {
  readonly exchange: HttpExchange
  /** It is one no more. */
  readonly spend: (transport: Transport) => void
}

/** Whoever gets the connection owes its `shutdown`. Until it succeeds the request can be answered otherwise. */
export const accept = (
  request: Upgradable,
  terms: Handshake.Terms,
  limits: Limits
): Effect.Effect<NodeWebSocketConnection, WebSocketError> =>
  Effect.suspend(() => {
    const { exchange } = request
    const { upgrade } = exchange
    if (exchange.isLost) return failed(new Lost({}))
    // HTTP/2 has another request for that, and no field that would tell (RFC 8441).
    if (upgrade === undefined && !(exchange instanceof NodeHttpExchange)) return failed(noUpgrade)
    const judged = Handshake.judge(exchange.request, terms, limits, upgrade?.hasKey ?? true)
    if (Result.isFailure(judged)) return failed(judged.failure)
    // It goes on over HTTP: what is asked for is fine, but the request as such is not.
    if (upgrade === undefined) return failed(noUpgrade)
    if (upgrade.isLate) {
      return failed(new Rejected({ status: 503, detail: "the server is stopping", headers: {} }))
    }
    const { deflate, fields, protocol } = judged.success
    const agreed = { isServer: true, protocol, deflate }
    return Effect.uninterruptible(
      Effect.flatMap(upgrade.take(fields), (switched) => begin(request, switched, agreed, limits))
    )
  })

/** Of its own, so that what lives as long as the connection keeps nothing of the handshake. */
const begin = (
  request: Upgradable,
  switched: NodeHttpSwitched,
  agreed: Agreed,
  limits: Limits
): Effect.Effect<NodeWebSocketConnection> =>
  Effect.contextWith((context) => {
    const connection = new NodeWebSocketConnection(switched.transport, agreed, limits, context, switched)
    request.spend(switched.transport)
    switched.goesOnAs(connection)
    return Effect.succeed(connection)
  })

const noUpgrade = new Rejected({
  status: 400,
  detail: "there is no upgrade on this connection",
  headers: {}
})

const failed = (reason: Lost | Rejected) => Effect.fail(new WebSocketError({ operation: "upgrade", reason }))
