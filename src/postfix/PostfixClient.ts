/** Asks a table as Postfix does (tcp_table(5)). */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Lines from "../framing/Lines.ts"
import * as Client from "../protocol/Client.ts"
import type * as PersistentClient from "../protocol/PersistentClient.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import { PostfixError, Rejected, TryAgain } from "./PostfixError.ts"
import * as PostfixExchange from "./PostfixExchange.ts"
import * as PostfixWire from "./PostfixWire.ts"

export interface Options extends PostfixExchange.Options {}

/** A `get` or `put` that came to nothing. */
export type Failure = PostfixExchange.Failure

export interface Table<out E> {
  /** `undefined` for none. */
  readonly get: (key: string) => Effect.Effect<string | undefined, E>
  readonly put: (key: string, value: string) => Effect.Effect<void, E>
}

/** A table over a connection. One request at a time is under way, as the protocol has it: see `PostfixExchange`. */
export const make = (transport: Transport, options: Options = {}): Table<Failure> => {
  const lines = Lines.make(transport, { delimiter: "\n", lineBytesMax: PostfixWire.lineBytesMax })
  const exchange = PostfixExchange.make(lines, options)

  const ask = (request: PostfixWire.Request): Effect.Effect<PostfixWire.Reply, Failure> =>
    Effect.flatMap(Effect.fromResult(PostfixWire.formatRequest(request)), (line) =>
      exchange(request._tag === "Get" ? "get" : "put", line, (reply) =>
        Effect.fromResult(PostfixWire.parseReply(reply))
      )
    )

  return {
    get: Effect.fnUntraced(function* (key) {
      const { code, text } = yield* ask({ _tag: "Get", key })
      if (code === 200) return text
      if (code === 500) return undefined
      return yield* new PostfixError({ operation: "get", reason: new TryAgain({ detail: text }) })
    }),
    put: Effect.fnUntraced(function* (key, value) {
      const { code, text } = yield* ask({ _tag: "Put", key, value })
      if (code === 200) return
      const reason = code === 500 ? new Rejected({ detail: text }) : new TryAgain({ detail: text })
      return yield* new PostfixError({ operation: "put", reason })
    })
  }
}

/** A table behind a connection that is kept, and made again when it is lost. */
export class PostfixClient extends Context.Service<
  PostfixClient,
  Table<Failure | PersistentClient.Failure<never>>
>()("spindle/postfix/PostfixClient") {}

export interface LayerOptions extends Options, PersistentClient.Options {
  /** Attempts to connect that may fail before a request does. Default 1. */
  readonly failuresMax?: number | undefined
}

export const layer = (
  endpoint: Endpoint.Client,
  options: LayerOptions = {}
): Layer.Layer<PostfixClient, never, Reactor> => {
  const { failuresMax = 1 } = options
  return Layer.effect(
    PostfixClient,
    Effect.map(
      Client.persistent(endpoint, (transport) => Effect.succeed(make(transport, options)), options),
      (client) => ({
        get: (key: string) => client.use((table) => table.get(key), { failuresMax }),
        put: (key: string, value: string) => client.use((table) => table.put(key, value), { failuresMax })
      })
    )
  )
}
