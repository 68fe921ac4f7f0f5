/** Tables that Postfix asks, or sendmail (socketmap_table(5)). */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { FramingError } from "../framing/FramingError.ts"
import * as Netstrings from "../framing/Netstrings.ts"
import * as Idle from "../protocol/Idle.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { PostfixError } from "./PostfixError.ts"
import type { Options } from "./PostfixServer.ts"
import { SocketmapTables } from "./SocketmapTables.ts"
import * as SocketmapWire from "./SocketmapWire.ts"

export type { Options } from "./PostfixServer.ts"

/**
 * What runs on a connection: a reply to each request, in order. What the table is unable to do is a `TEMP`, so that mail is deferred and not
 * bounced; so is a table that nobody knows, which is a mistake of who configured one of the two. What is no request is told, and ends
 * the connection.
 */
export const protocol = (
  options: Options = {}
): Protocol<Transport, FramingError | TransportError | PostfixError, SocketmapTables> => {
  const { idleTimeout = "600 seconds", lookupTimeout = "30 seconds" } = options
  const trouble = (detail: string, isLasting = false): SocketmapWire.Reply => ({
    _tag: "Trouble",
    isLasting,
    detail
  })
  const late = trouble(`no answer within ${Duration.format(Duration.fromInputUnsafe(lookupTimeout))}`)
  const converse = Effect.fnUntraced(function* (transport: Transport) {
    const tables = yield* SocketmapTables
    const { netstringBytesMax } = SocketmapWire
    const netstrings = Netstrings.make(transport, { netstringBytesMax })
    const reply = (answer: SocketmapWire.Reply) => netstrings.send(SocketmapWire.formatReply(answer))

    const answerTo = ({ key, map }: SocketmapWire.Request): Effect.Effect<SocketmapWire.Reply> => {
      const table = tables.table(map)
      if (table === undefined) return Effect.succeed(trouble(`there is no table ${map}`))
      return table.get(key).pipe(
        Effect.map((value): SocketmapWire.Reply =>
          value === undefined ? { _tag: "NotFound" } : { _tag: "Found", value }
        ),
        Effect.timeoutOrElse({ duration: lookupTimeout, orElse: () => Effect.succeed(late) }),
        Effect.catchTags({
          Refused: ({ detail }) => Effect.succeed(trouble(detail, true)),
          Unavailable: (error) =>
            Effect.as(Effect.logWarning("the table is not available", error), trouble(error.detail))
        })
      )
    }

    yield* netstrings.receiveEach(
      (content): Effect.Effect<void, FramingError | TransportError | PostfixError> => {
        const request = SocketmapWire.parseRequest(content)
        return Result.isFailure(request)
          ? Effect.andThen(reply(trouble(request.failure.reason.message, true)), Effect.fail(request.failure))
          : Effect.flatMap(answerTo(request.success), reply)
      }
    )
  })
  return Idle.over(idleTimeout)(converse)
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, SocketmapTables | Reactor> =>
  Server.layer(endpoint, protocol(options), { name: "socketmap", ...options })
