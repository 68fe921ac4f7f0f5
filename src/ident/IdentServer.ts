/** An ident server (RFC 1413): whose connection is it? Twisted: `ident.IdentServer`. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
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
import type { IdentError } from "./IdentError.ts"
import { IdentUsers } from "./IdentUsers.ts"
import * as IdentWire from "./IdentWire.ts"

/** The port that IANA gave it. */
export const port = 113

export interface Options {
  /** How long a connection may say nothing. Default 60 seconds (RFC 1413 4 allows no less). */
  readonly idleTimeout?: Duration.Input | undefined
}

/**
 * What runs on a connection: an answer to each query, in order. What is no query ends the connection; a query about ports that are
 * none is told so. Users that cannot be looked up are `UNKNOWN-ERROR`, and the defect is reported.
 */
export const protocol = (
  options: Options = {}
): Protocol<Transport, FramingError | TransportError | IdentError, IdentUsers> => {
  const converse = Effect.fnUntraced(function* (transport: Transport) {
    const users = yield* IdentUsers
    const lines = Lines.make(transport, { anyNewline: true, lineBytesMax: IdentWire.lineBytesMax })
    const { local, peer } = transport
    const identify = (query: IdentWire.Query): Effect.Effect<IdentWire.Answer> => {
      if (!IdentWire.isValid(query)) return Effect.succeed(IdentWire.invalidPort)
      // A UNIX socket has nobody on its other end who could mean a port of ours.
      if (!NetAddress.isInetAddress(local) || !NetAddress.isInetAddress(peer))
        return Effect.succeed(IdentWire.noUser)
      return users.identify({
        local: NetAddress.inetAddressUnsafe(local.address, query.portOnServer),
        peer: NetAddress.inetAddressUnsafe(peer.address, query.portOnClient)
      })
    }
    yield* lines.receiveEach((line): Effect.Effect<void, IdentError | TransportError> => {
      const query = IdentWire.parseQuery(line)
      if (Result.isFailure(query)) return Effect.fail(query.failure)
      return Effect.flatMap(identify(query.success), (answer) =>
        transport.send(`${IdentWire.formatAnswer(query.success, answer)}\r\n`)
      )
    })
  })
  return Idle.over(options.idleTimeout ?? "60 seconds")(converse)
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, IdentUsers | Reactor> =>
  Server.layer(endpoint, protocol(options), { name: "ident", ...options })
