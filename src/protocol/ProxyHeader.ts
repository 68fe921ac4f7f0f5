/**
 * PROXY headers for protocols: `over` takes one off a connection, `send` puts one in front. `Endpoint.proxied` does for a whole
 * endpoint what `over` does for one protocol; use `over` where the header comes later than first, as inside TLS.
 * The codec and `of` are here, too: they are those of `src/reactor`, where endpoints need them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Conversation } from "../reactor/Conversation.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { encode, type Input, type ProxyHeaderError } from "../reactor/ProxyHeader.ts"
import * as ProxyHeaderReceiving from "../reactor/ProxyHeaderReceiving.ts"
import { ProxiedTransport } from "../reactor/ProxyHeaderTransport.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"

export * from "../reactor/ProxyHeader.ts"

/**
 * The protocol runs once the header is there, and sees the client as its peer (`of` gives the header). Who is not trusted, sends none,
 * or is late is closed without it: the conversation fails with a `ProxyHeaderError`, for a `Server` a matter of level
 * Debug. Throws a `RangeError` for options that cannot work.
 */
export const over = (options: Endpoint.ProxyOptions) => {
  const settings = ProxyHeaderReceiving.settings(options)
  if (Result.isFailure(settings)) throw new RangeError(settings.failure)
  return <E, R>(
    protocol: Conversation<Transport, E, R>
  ): Conversation<Transport, E | ProxyHeaderError | TransportError, R> =>
    (transport) =>
      Effect.flatMap(ProxyHeaderReceiving.receive(transport, settings.success), (header) =>
        protocol(new ProxiedTransport(transport, header))
      )
}

/**
 * Sends a header; nothing may have been sent before. `forwarding(client)` gives the one that passes a connection on. TLS with
 * the peer, where there is any, comes behind it.
 */
export const send = (
  transport: Transport,
  header: Input
): Effect.Effect<void, ProxyHeaderError | TransportError> =>
  Effect.flatMap(Effect.fromResult(encode(header)), (bytes) => transport.send(bytes))
