/** Asks tables as Postfix does (socketmap_table(5)). */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Netstrings from "../framing/Netstrings.ts"
import * as Client from "../protocol/Client.ts"
import type * as PersistentClient from "../protocol/PersistentClient.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { LayerOptions } from "./PostfixClient.ts"
import { PostfixError, Rejected, TryAgain } from "./PostfixError.ts"
import * as PostfixExchange from "./PostfixExchange.ts"
import * as SocketmapWire from "./SocketmapWire.ts"

export interface Options extends PostfixExchange.Options {}

export type Failure = PostfixExchange.Failure

export interface Tables<out E> {
  /** `undefined` for none. `PERM` is `Rejected`, `TEMP` and `TIMEOUT` are `TryAgain`. */
  readonly get: (map: string, key: string) => Effect.Effect<string | undefined, E>
}

/** Tables over a connection; one request at a time is under way. */
export const make = (transport: Transport, options: Options = {}): Tables<Failure> => {
  const { netstringBytesMax } = SocketmapWire
  const exchange = PostfixExchange.make(Netstrings.make(transport, { netstringBytesMax }), options)
  return {
    get: Effect.fnUntraced(function* (map, key) {
      const request = yield* Effect.fromResult(SocketmapWire.formatRequest({ map, key }))
      const reply = yield* exchange("get", request, (content) =>
        Effect.fromResult(SocketmapWire.parseReply(content))
      )
      if (reply._tag === "Found") return reply.value
      if (reply._tag === "NotFound") return undefined
      const { detail, isLasting } = reply
      const reason = isLasting ? new Rejected({ detail }) : new TryAgain({ detail })
      return yield* new PostfixError({ operation: "get", reason })
    })
  }
}

/** Tables behind a connection that is kept, and made again when it is lost. */
export class SocketmapClient extends Context.Service<
  SocketmapClient,
  Tables<Failure | PersistentClient.Failure<never>>
>()("spindle/postfix/SocketmapClient") {}

export const layer = (
  endpoint: Endpoint.Client,
  options: LayerOptions = {}
): Layer.Layer<SocketmapClient, never, Reactor> => {
  const { failuresMax = 1 } = options
  return Layer.effect(
    SocketmapClient,
    Effect.map(
      Client.persistent(endpoint, (transport) => Effect.succeed(make(transport, options)), options),
      (client) => ({
        get: (map: string, key: string) => client.use((tables) => tables.get(map, key), { failuresMax })
      })
    )
  )
}
