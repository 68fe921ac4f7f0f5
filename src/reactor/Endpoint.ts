/**
 * Where to listen and what to connect to, as plain data. Build them with the constructors here, or from a
 * description such as `tcp:8080:interface=127.0.0.1` with `EndpointDescription`.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Listener } from "./Listener.ts"
import type { Reactor } from "./Reactor.ts"
import type { ConnectError, ListenError } from "./ReactorError.ts"
import type * as Tls from "./Tls.ts"
import type { Transport } from "./Transport.ts"

/** How a byte stream behaves, on either side. */
export interface StreamOptions {
  /** Send small pieces at once (TCP_NODELAY). Default `true`: a turn's output is one write already. */
  readonly noDelay?: boolean | undefined
  /** Ask the network whether an idle peer still lives (SO_KEEPALIVE). Default `false`; a duration sets the idle time before the first probe. */
  readonly keepAlive?: boolean | Duration.Input | undefined
  /** Received bytes that may wait for a consumer before reading pauses. Default 65,536. */
  readonly receiveBytesMax?: number | undefined
  /** Bytes on their way out above which `send` waits. Default 65,536. */
  readonly sendBytesMax?: number | undefined
  /** How long closing may take to flush to a peer that does not read, before it resets. Default 10 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
}

export interface ListenOptions extends StreamOptions {
  /** Connections the system holds ready before they are accepted. Default 511, as Node; Twisted has 50. */
  readonly backlog?: number | undefined
}

export interface ConnectOptions extends StreamOptions {
  /** The whole attempt: name, connection, handshake. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

// --- server side ----------------------------------------------------------------------------------------

export interface TcpServer extends ListenOptions {
  readonly _tag: "TcpServer"
  readonly port: number
  /** The address to listen on. */
  readonly interface: string
  /** Only for an IPv6 `interface`: refuse IPv4 peers. Default `false`. */
  readonly ipv6Only?: boolean | undefined
}

export interface TlsServer extends ListenOptions {
  readonly _tag: "TlsServer"
  readonly port: number
  readonly interface: string
  readonly ipv6Only?: boolean | undefined
  readonly tls: Tls.ServerOptions
}

export interface UnixServer extends ListenOptions {
  readonly _tag: "UnixServer"
  readonly path: string
  /** Permission bits of the socket file. Default 0o666, as Twisted. */
  readonly mode?: number | undefined
}

/** A kind of endpoint from elsewhere: it listens by means of the reactor it is given. */
export interface CustomServer {
  readonly _tag: "CustomServer"
  readonly description: string
  readonly listen: Effect.Effect<Listener, ListenError, Reactor | Scope.Scope>
}

export type Server = TcpServer | TlsServer | UnixServer | CustomServer

// --- client side ----------------------------------------------------------------------------------------

export interface TcpClient extends ConnectOptions {
  readonly _tag: "TcpClient"
  /** A name or an IP literal. */
  readonly host: string
  readonly port: number
  /** The local address, and port, to come from. */
  readonly bindAddress?: { readonly address: string; readonly port?: number | undefined } | undefined
}

export interface TlsClient extends ConnectOptions {
  readonly _tag: "TlsClient"
  readonly host: string
  readonly port: number
  readonly bindAddress?: { readonly address: string; readonly port?: number | undefined } | undefined
  readonly tls: Tls.ClientOptions
}

export interface UnixClient extends ConnectOptions {
  readonly _tag: "UnixClient"
  readonly path: string
}

/** A kind of endpoint from elsewhere: it connects by means of the reactor it is given. */
export interface CustomClient {
  readonly _tag: "CustomClient"
  readonly description: string
  readonly connect: Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope>
}

export type Client = TcpClient | TlsClient | UnixClient | CustomClient

// --- datagrams ------------------------------------------------------------------------------------------

export interface Udp {
  readonly _tag: "Udp"
  /** The local port; 0 lets the system choose. */
  readonly port: number
  readonly interface: string
  /** Talk to this peer only; refusals are then reported. */
  readonly connect?: { readonly host: string; readonly port: number } | undefined
  /** Allow sending to broadcast addresses. Default `false`. */
  readonly broadcast?: boolean | undefined
  /** Share the port with others that ask for the same (SO_REUSEADDR). Default `false`. */
  readonly reuseAddress?: boolean | undefined
  /** The longest datagram accepted in either direction. Default 65,507, all that IPv4 can carry. */
  readonly datagramBytesMax?: number | undefined
  /** Received datagrams that may wait; more are dropped and counted. Default 1,024. */
  readonly receiveMax?: number | undefined
  /** The system's buffers (SO_RCVBUF, SO_SNDBUF). Default: the system's. */
  readonly receiveBufferBytes?: number | undefined
  readonly sendBufferBytes?: number | undefined
}

// --- constructors ---------------------------------------------------------------------------------------

type Args<A, K extends keyof A = never> = Omit<A, "_tag" | K> & Partial<Pick<A, K>>

/** Listens on TCP over IPv4, all interfaces unless `interface` is given. Port 0 lets the system choose. */
export const tcp = (args: Args<TcpServer, "interface">): TcpServer => ({
  interface: "0.0.0.0",
  ...args,
  _tag: "TcpServer"
})

/** As `tcp`, over IPv6; `::` by default, which also takes IPv4 peers unless `ipv6Only`. */
export const tcp6 = (args: Args<TcpServer, "interface">): TcpServer => ({
  interface: "::",
  ...args,
  _tag: "TcpServer"
})

/** Listens on TLS over TCP. */
export const tls = (args: Args<TlsServer, "interface">): TlsServer => ({
  interface: "0.0.0.0",
  ...args,
  _tag: "TlsServer"
})

/** Listens on a UNIX socket file, which is removed when the listener stops. */
export const unix = (args: Args<UnixServer>): UnixServer => ({ ...args, _tag: "UnixServer" })

/** A UDP port, on all IPv4 interfaces unless `interface` is given. */
export const udp = (args: Args<Udp, "interface" | "port">): Udp => ({
  interface: "0.0.0.0",
  port: 0,
  ...args,
  _tag: "Udp"
})

/** Connects over TCP. */
export const tcpClient = (args: Args<TcpClient>): TcpClient => ({ ...args, _tag: "TcpClient" })

/** Connects over TLS; the server's certificate is checked against its host name unless told otherwise. */
export const tlsClient = (args: Args<TlsClient, "tls">): TlsClient => ({
  tls: {},
  ...args,
  _tag: "TlsClient"
})

/** Connects to a UNIX socket. */
export const unixClient = (args: Args<UnixClient>): UnixClient => ({ ...args, _tag: "UnixClient" })

/** A server endpoint that somebody else knows how to open. */
export const custom = (args: Args<CustomServer>): CustomServer => ({ ...args, _tag: "CustomServer" })

/** A client endpoint that somebody else knows how to reach. */
export const customClient = (args: Args<CustomClient>): CustomClient => ({ ...args, _tag: "CustomClient" })
