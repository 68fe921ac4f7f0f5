/**
 * Datagrams through a SOCKS 5 proxy (UDP ASSOCIATE), as a `Datagram`: with the same rules as any other port, so that whatever speaks
 * over datagrams does so through a proxy. Twisted has none.
 *
 * ```ts
 * const proxy = Endpoint.tcpClient({ host: "127.0.0.1", port: 1080 })
 * const port = yield* SocksDatagram.open({ proxy })
 * yield* port.sendTo("hello", { host: "example.org", port: 7 })
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Datagram } from "../reactor/Datagram.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import {
  ConnectError,
  type ConnectReason,
  type DatagramError,
  ListenError,
  type ListenReason
} from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as SocksClient from "./SocksClient.ts"
import { SocksDatagramPort } from "./SocksDatagramPort.ts"
import { reasonOf } from "./SocksTrouble.ts"
import type * as SocksWire from "./SocksWire.ts"

export interface Options {
  /** How to reach the proxy. Only what is asked of it goes through TLS, where it has that: datagrams are plain. */
  readonly proxy: Endpoint.Client
  /** Who logs in. Default nobody. */
  readonly login?: SocksClient.Options["login"]
  /** Until the proxy has agreed. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** A port whose datagrams the proxy passes on, as long as the connection to it lives: then it is closed. */
export interface SocksDatagram extends Datagram {
  /** Sends to a name, which the proxy looks up. The port is not connected. */
  readonly sendTo: (
    bytes: Uint8Array | string,
    target: SocksClient.Target
  ) => Effect.Effect<void, DatagramError>
}

/**
 * Asks the proxy, and opens a port here. Of `endpoint` count the local port, the family of `interface` (with `::` datagrams go to IPv6), whom to
 * `connect` to (an address), and the limits. Others see the address of the proxy; that of `local` says nothing. Multicast is `Unsupported`.
 */
export const open = (
  options: Options,
  endpoint: Endpoint.Udp = Endpoint.udp({})
): Effect.Effect<SocksDatagram, ConnectError, Reactor | Scope.Scope> =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    const family = endpoint.interface.includes(":") ? "IPv6" : "IPv4"
    const { connect } = endpoint
    const address = connect === undefined ? undefined : NetAddress.ipFromString(connect.host)
    if (address !== undefined && Result.isFailure(address)) {
      // Looked up here, it would be known here; and the proxy's answers name addresses.
      const detail = "through a proxy a port is connected to an address, not to a name"
      return yield* failed(options, new Reason.InvalidAddress({ detail }))
    }
    const peer = address && NetAddress.inetAddressUnsafe(address.success, connect!.port)
    const control = yield* reactor.connect(options.proxy)
    const relay = yield* SocksClient.associate(control, { login: options.login })
    const host = hostOf(relay.host, control.peer)
    if (host === undefined) {
      const reason = new Reason.HandshakeFailed({ detail: "the proxy names no address for datagrams" })
      return yield* failed(options, reason)
    }
    const inner = yield* reactor.datagram(
      Endpoint.udp({
        port: endpoint.port,
        interface: interfaceTowards(host, control.local),
        connect: { host: NetAddress.formatIp(host), port: relay.port },
        receiveBufferBytes: endpoint.receiveBufferBytes,
        sendBufferBytes: endpoint.sendBufferBytes
      })
    )
    const port = yield* Effect.acquireRelease(
      Effect.sync(() => new SocksDatagramPort(inner, family, peer, endpoint)),
      (port) => port.close
    )
    yield* Effect.forkScoped(port.run, { startImmediately: true })
    // RFC 1928 7: the association ends with the connection.
    yield* control
      .receiveEach(() => Effect.void)
      .pipe(Effect.ignore, Effect.andThen(port.close), Effect.forkScoped({ startImmediately: true }))
    return port
  }).pipe(
    Effect.mapError((error) => new ConnectError({ endpoint: describe(options), reason: reasonOf(error) })),
    Effect.timeoutOrElse({
      duration: options.timeout ?? "30 seconds",
      orElse: () => failed(options, new Reason.TimedOut({ detail: "no answer in time" }))
    })
  )

/** A reactor that opens its datagram ports so; all else is done by the one below. */
export const layer = (options: Options): Layer.Layer<Reactor, never, Reactor> =>
  Layer.effect(
    Reactor,
    Effect.map(Reactor, (reactor) => ({
      ...reactor,
      datagram: (endpoint: Endpoint.Udp) =>
        open(options, endpoint).pipe(
          Effect.mapError(
            (error) => new ListenError({ endpoint: error.endpoint, reason: asListening(error) })
          ),
          Effect.provideService(Reactor, reactor)
        )
    }))
  )

/** What may go wrong with opening a port, told as such. */
const asListening = (error: ConnectError): ListenReason => {
  const { reason } = error
  switch (reason._tag) {
    case "AccessDenied":
    case "InvalidAddress":
    case "Unsupported":
    case "ResourceExhausted":
    case "UnknownHost":
    case "ResolverFailed":
    case "InvalidTlsOptions":
      return reason
    default:
      return new Reason.Unknown({ detail: reason.message, cause: error })
  }
}

const describe = ({ proxy }: Options): string => `datagrams by way of ${EndpointFormat.format(proxy)}`

const failed = (options: Options, reason: ConnectReason) =>
  Effect.fail(new ConnectError({ endpoint: describe(options), reason }))

/** Where the proxy takes datagrams: where it says, or where it was connected to, if it does not. */
const hostOf = (said: SocksWire.Host, proxy: NetAddress.SocketAddress): NetAddress.IpAddress | undefined => {
  if (typeof said !== "string" && !NetAddress.isUnspecified(said)) return said
  return NetAddress.isInetAddress(proxy) ? proxy.address : undefined
}

/** The proxy knows its client by the address that asks: datagrams come from the same. */
const interfaceTowards = (host: NetAddress.IpAddress, own: NetAddress.SocketAddress): string => {
  const family = NetAddress.familyOf(host)
  if (NetAddress.isInetAddress(own) && NetAddress.familyOf(own.address) === family) {
    return NetAddress.formatIp(own.address)
  }
  return family === "IPv4" ? "0.0.0.0" : "::"
}
