/** Asks a table as Postfix does (tcp_table(5)). */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { FramingError } from "../framing/FramingError.ts"
import * as Lines from "../framing/Lines.ts"
import * as Client from "../protocol/Client.ts"
import type * as PersistentClient from "../protocol/PersistentClient.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { NoReply, PostfixError, Rejected, TryAgain } from "./PostfixError.ts"
import * as PostfixWire from "./PostfixWire.ts"

export interface Options {
  /** From sending a request to its reply. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** A `get` or `put` that came to nothing. */
export type Failure = PostfixError | FramingError | TransportError

export interface Table<out E> {
  /** `undefined` for none. */
  readonly get: (key: string) => Effect.Effect<string | undefined, E>
  readonly put: (key: string, value: string) => Effect.Effect<void, E>
}

/**
 * A table over a connection. One request at a time is under way, as the protocol has it. When a reply is not waited for to its end
 * (a timeout, an interruption), nobody could tell any more which reply belongs to whom: the connection is aborted.
 */
export const make = (transport: Transport, options: Options = {}): Table<Failure> => {
  const { timeout = "30 seconds" } = options
  const lines = Lines.make(transport, { delimiter: "\n", lineBytesMax: PostfixWire.lineBytesMax })
  const turn = Semaphore.makeUnsafe(1)

  const ask = (request: PostfixWire.Request): Effect.Effect<PostfixWire.Reply, Failure> => {
    const failed = (detail: string) =>
      new PostfixError({ operation: request._tag === "Get" ? "get" : "put", reason: new NoReply({ detail }) })
    const converse = Effect.fnUntraced(function* (line: string) {
      yield* lines.send(line)
      const reply = yield* lines.receive
      return yield* Effect.fromResult(PostfixWire.parseReply(reply))
    })
    const exchange = (line: string): Effect.Effect<PostfixWire.Reply, Failure> =>
      converse(line).pipe(
        Effect.timeoutOrElse({
          duration: timeout,
          orElse: () =>
            Effect.fail(failed(`no reply within ${Duration.format(Duration.fromInputUnsafe(timeout))}`))
        }),
        Effect.catchIf(Cause.isDone, () => Effect.fail(failed("the connection ended before the reply"))),
        Effect.onError(() => transport.abort)
      )
    // Before its turn nothing of it is under way: giving up then costs nobody anything.
    return Effect.flatMap(Effect.fromResult(PostfixWire.formatRequest(request)), (line) =>
      turn.withPermits(1)(exchange(line))
    )
  }

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
