/** A table that Postfix asks (tcp_table(5)). Twisted: `postfix.PostfixTCPMapServer`. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { FramingError } from "../framing/FramingError.ts"
import * as Lines from "../framing/Lines.ts"
import * as Idle from "../protocol/Idle.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { PostfixError } from "./PostfixError.ts"
import { PostfixTable } from "./PostfixTable.ts"
import * as PostfixWire from "./PostfixWire.ts"

export interface Options {
  /** How long a connection may say nothing; Postfix keeps its connections. Default 600 seconds, as Twisted. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long a lookup may take before Postfix hears 400. Default 30 seconds. */
  readonly lookupTimeout?: Duration.Input | undefined
}

/**
 * What runs on a connection: a reply to each request, in order. What the table is unable to do is a 400, so that Postfix defers mail
 * instead of bouncing it; a defect of the table is reported, and ends the connection, which Postfix takes the same way. What is no
 * request gets a 400, and the connection ends: whoever writes such a line (a browser that was sent here) writes more of them.
 */
export const protocol = (
  options: Options = {}
): Protocol<Transport, FramingError | TransportError | PostfixError, PostfixTable> => {
  const { idleTimeout = "600 seconds", lookupTimeout = "30 seconds" } = options
  const late = {
    code: 400,
    text: `no answer within ${Duration.format(Duration.fromInputUnsafe(lookupTimeout))}`
  } as const
  const converse = Effect.fnUntraced(function* (transport: Transport) {
    const table = yield* PostfixTable
    const lines = Lines.make(transport, { delimiter: "\n", lineBytesMax: PostfixWire.lineBytesMax })
    const reply = (answer: PostfixWire.Reply) => transport.send(`${PostfixWire.formatReply(answer)}\n`)

    const answerTo = (request: PostfixWire.Request): Effect.Effect<PostfixWire.Reply> =>
      (request._tag === "Get"
        ? Effect.map(table.get(request.key), (value): PostfixWire.Reply =>
            value === undefined ? { code: 500, text: "not found" } : { code: 200, text: value }
          )
        : Effect.as(table.put(request.key, request.value), { code: 200, text: "stored" } as const)
      ).pipe(
        Effect.timeoutOrElse({ duration: lookupTimeout, orElse: () => Effect.succeed(late) }),
        Effect.catchTags({
          Refused: ({ detail }) => Effect.succeed({ code: 500, text: detail } as const),
          Unavailable: (error) =>
            Effect.as(Effect.logWarning("the table is not available", error), {
              code: 400,
              text: error.detail
            } as const)
        })
      )

    yield* lines.receiveEach((line): Effect.Effect<void, TransportError | PostfixError> => {
      const request = PostfixWire.parseRequest(line)
      return Result.isFailure(request)
        ? Effect.andThen(
            reply({ code: 400, text: request.failure.reason.message }),
            Effect.fail(request.failure)
          )
        : Effect.flatMap(answerTo(request.success), reply)
    })
  })
  return Idle.over(idleTimeout)(converse)
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, PostfixTable | Reactor> =>
  Server.layer(endpoint, protocol(options), { name: "postfix", ...options })
