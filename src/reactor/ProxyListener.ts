/** Listening behind proxies that send PROXY headers. Twisted: the `haproxy:` endpoint, `HAProxyWrappingFactory`. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Endpoint from "./Endpoint.ts"
import * as EndpointFormat from "./EndpointFormat.ts"
import type { Listener } from "./Listener.ts"
import * as PreparedListener from "./PreparedListener.ts"
import * as ProxyHeaderReceiving from "./ProxyHeaderReceiving.ts"
import { ProxiedCloseable } from "./ProxyHeaderTransport.ts"
import type { Reactor } from "./Reactor.ts"
import { ListenError } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"

/** Connections of trusted proxies whose header has not come yet. */
const headersMax = 1_024

/** Opens the endpoint by means of `reactor`. Fails as `InvalidAddress` for options that cannot work. */
export const listen = (
  reactor: Reactor["Service"],
  endpoint: Endpoint.ProxiedServer
): Effect.Effect<Listener, ListenError, Scope.Scope> => {
  const { inner, proxy } = endpoint
  const description = EndpointFormat.format(endpoint)
  const settings = ProxyHeaderReceiving.settings(proxy)
  if (Result.isFailure(settings)) {
    const reason = new Reason.InvalidAddress({ detail: settings.failure })
    return Effect.fail(new ListenError({ endpoint: description, reason }))
  }
  const tls = withoutTls(inner)
  if (tls !== undefined) {
    const proxied = Endpoint.proxied({ inner: tls.inner, proxy })
    return Effect.mapError(
      reactor.listen(Endpoint.secured({ inner: proxied, tls: tls.tls })),
      ({ reason }) => new ListenError({ endpoint: description, reason })
    )
  }
  return Effect.flatMap(reactor.listen(inner), (listener) =>
    PreparedListener.make(listener, {
      endpoint: description,
      prepare: (transport) =>
        Effect.map(
          ProxyHeaderReceiving.receive(transport, settings.success),
          (header) => new ProxiedCloseable(transport, header)
        ),
      preparingMax: headersMax,
      waitingMax: PreparedListener.waitingMaxOf(endpoint)
    })
  )
}

/** The header comes first, in plaintext, and TLS behind it: what is below TLS, to be put below the header. */
const withoutTls = (
  endpoint: Endpoint.Server
): { readonly inner: Endpoint.Server; readonly tls: Endpoint.TlsServer["tls"] } | undefined => {
  switch (endpoint._tag) {
    case "TlsServer": {
      const { tls, ...tcp } = endpoint
      return { inner: Endpoint.tcp(tcp), tls }
    }
    case "SecuredServer":
      return endpoint
    default:
      return undefined
  }
}
