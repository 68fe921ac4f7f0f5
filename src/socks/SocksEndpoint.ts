/**
 * Endpoints reached through a SOCKS proxy, as endpoints. Names are looked up by the proxy, unless told otherwise.
 *
 * ```ts
 * const proxy = Endpoint.tcpClient({ host: "127.0.0.1", port: 1080 })
 * const page = SocksEndpoint.through({ proxy })(Endpoint.tlsClient({ host: "example.org", port: 443 }))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Endpoint from "../reactor/Endpoint.ts"
import { quoteArgument } from "../reactor/EndpointDescription.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { ConnectError, type ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as SocksClient from "./SocksClient.ts"
import { reasonOf } from "./SocksTrouble.ts"

export interface Options extends SocksClient.Options {
  /** How to reach the proxy. */
  readonly proxy: Endpoint.Client
  /** Who looks names up: the proxy (default), so that nobody here learns them; or this machine, for a proxy of SOCKS 4 that cannot. */
  readonly resolve?: "remote" | "local" | undefined
}

/** An endpoint through a proxy, which can go through another one. */
export interface SocksEndpoint extends Endpoint.CustomClient {
  readonly socks: { readonly options: Options; readonly target: Endpoint.TcpClient }
}

const isSocks = (endpoint: Endpoint.CustomClient): endpoint is SocksEndpoint => "socks" in endpoint

/**
 * Endpoints over TCP, with TLS, PROXY headers, other SOCKS proxies around them, are reached through the proxy. Others, such as
 * UNIX sockets, cannot be: connecting fails as `Unsupported`. The options of the stream are those of the connection to the proxy, where it
 * is TCP and has none of its own; `timeout` is for all of it.
 */
export const through =
  (options: Options) =>
  (inner: Endpoint.Client): Endpoint.Client => {
    switch (inner._tag) {
      case "TcpClient":
        return make(options, inner)
      case "TlsClient": {
        const { tls, ...rest } = inner
        return Endpoint.securedClient({ inner: make(options, Endpoint.tcpClient(rest)), tls })
      }
      case "SecuredClient":
      case "ProxiedClient":
        return { ...inner, inner: through(options)(inner.inner) }
      case "CustomClient":
        if (isSocks(inner)) {
          const { socks } = inner
          return make({ ...socks.options, proxy: through(options)(socks.options.proxy) }, socks.target)
        }
        return unreachable(options, inner)
      default:
        return unreachable(options, inner)
    }
  }

const make = (options: Options, target: Endpoint.TcpClient): SocksEndpoint => {
  const description = describe(options, target)
  return {
    ...Endpoint.customClient({
      description,
      host: target.host,
      connect: connect(description, options, target)
    }),
    socks: { options, target }
  }
}

const unreachable = (options: Options, inner: Endpoint.Client): Endpoint.CustomClient => {
  const description = describe(options, inner)
  const reason = new Reason.Unsupported({ detail: "a SOCKS proxy leads to TCP only" })
  return Endpoint.customClient({
    description,
    connect: Effect.fail(new ConnectError({ endpoint: description, reason }))
  })
}

/** As `SocksSchemes` read it; a password is never told. */
const describe = (
  { login, proxy, resolve, userId, version = 5 }: Options,
  inner: Endpoint.Client
): string => {
  const option = (name: string, value: string | undefined) =>
    value === undefined ? "" : `:${name}=${quoteArgument(value)}`
  const own = `${option("username", login?.user)}${option("userId", userId)}${option("resolve", resolve)}`
  const place =
    proxy._tag === "TcpClient"
      ? EndpointFormat.format(Endpoint.tcpClient({ host: proxy.host, port: proxy.port })).slice("tcp:".length)
      : `(${EndpointFormat.format(proxy)})`
  return `socks${version}:${place}${own}:${EndpointFormat.format(inner)}`
}

const timeoutDefault = "30 seconds"

/** What fails leaves nothing in the caller's scope, who may try again. */
const connect = (
  description: string,
  options: Options,
  { attemptDelay, bindAddress, host, port, timeout = timeoutDefault, _tag, ...stream }: Endpoint.TcpClient
): Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope> =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    const scope = yield* Scope.fork(yield* Effect.scope)
    const { proxy } = options
    const way =
      proxy._tag === "TcpClient"
        ? {
            ...(bindAddress && { bindAddress }),
            ...(attemptDelay && { attemptDelay }),
            timeout,
            ...stream,
            ...proxy
          }
        : proxy
    const asked = Effect.gen(function* () {
      const target = yield* resolved(reactor, options, host)
      const transport = yield* reactor.connect(way)
      yield* SocksClient.connect(transport, { host: target, port }, options)
      return transport
    })
    const failed = (reason: ConnectReason) => new ConnectError({ endpoint: description, reason })
    return yield* asked.pipe(
      Effect.mapError((error) => failed(reasonOf(error))),
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(failed(new Reason.TimedOut({ detail: "no answer in time" })))
      }),
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })

const resolved = (reactor: Reactor["Service"], { resolve = "remote", version }: Options, host: string) =>
  resolve === "remote" || Result.isSuccess(NetAddress.ipFromString(host))
    ? Effect.succeed(host)
    : Effect.map(reactor.resolve(host, version === 4 ? { family: "IPv4" } : {}), ([first]) =>
        NetAddress.formatIp(first)
      )
