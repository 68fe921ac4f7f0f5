/** From a request to a WebSocket: the handshake answered, the connection taken from HTTP. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { NodeHttpExchange } from "./NodeHttpExchange.ts"
import { NodeWebSocketConnection } from "./NodeWebSocketConnection.ts"
import { CloseCode, Lost, Rejected, WebSocketError } from "./NodeWebSocketError.ts"
import * as Handshake from "./NodeWebSocketHandshake.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

export type { Origins, Terms } from "./NodeWebSocketHandshake.ts"

/** Whoever gets the connection owes its `shutdown`. Until it succeeds the request can be answered otherwise. */
export const accept = (
  exchange: NodeHttpExchange,
  terms: Handshake.Terms,
  limits: Limits
): Effect.Effect<NodeWebSocketConnection, WebSocketError> =>
  Effect.contextWith((context) => {
    const { upgrade } = exchange
    const judged = Handshake.judge(exchange.request, terms, limits)
    if (Result.isFailure(judged)) return failed(judged.failure)
    if (exchange.isLost) return failed(new Lost({}))
    // It goes on over HTTP: what is asked for is fine, but the request as such is not.
    if (upgrade === undefined) return failed(new Rejected({ status: 400, detail: "no upgrade", headers: {} }))
    if (upgrade.isLate) {
      return failed(new Rejected({ status: 503, detail: "the server is stopping", headers: {} }))
    }
    const { deflate, head, protocol } = judged.success
    return Effect.uninterruptible(
      Effect.flatMap(upgrade.take, (transport) => {
        const connection = new NodeWebSocketConnection(
          transport,
          { isServer: true, protocol, deflate },
          limits,
          context
        )
        connection.onAbandoned = () => exchange.lose()
        upgrade.onDrain = () => connection.goAway(CloseCode.goingAway)
        return Effect.as(Effect.ignore(transport.send(head)), connection)
      })
    )
  })

const failed = (reason: Lost | Rejected) => Effect.fail(new WebSocketError({ operation: "upgrade", reason }))
