/**
 * Where to listen and what to connect to, as plain data. Build them with the constructors here, or from a
 * description such as `tcp:8080:interface=127.0.0.1` with `EndpointDescription`.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Listener } from "./Listener.ts"
import type { Input } from "./ProxyHeader.ts"
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
  /** The time between two probes (TCP_KEEPINTVL), with `keepAlive`. Default: the system's. */
  readonly keepAliveInterval?: Duration.Input | undefined
  /** Probes without an answer after which the connection is lost (TCP_KEEPCNT), with `keepAlive`. Default: the system's. */
  readonly keepAliveCount?: number | undefined
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
  /** Several listeners, in any processes of one user, share the port; the system spreads connections over them (SO_REUSEPORT). Default `false`. */
  readonly reusePort?: boolean | undefined
}

export interface TlsServer extends ListenOptions {
  readonly _tag: "TlsServer"
  readonly port: number
  readonly interface: string
  readonly ipv6Only?: boolean | undefined
  readonly reusePort?: boolean | undefined
  readonly tls: Tls.ServerOptions
}

export interface UnixServer extends ListenOptions {
  readonly _tag: "UnixServer"
  /** The socket file; or, beginning with a NUL, an abstract name (Linux), which has no file. */
  readonly path: string
  /** Permission bits of the socket file. Default 0o666, as Twisted. */
  readonly mode?: number | undefined
  /**
   * Hold `path` + `.lock`, a symbolic link to the number of this process, so that a socket file left behind by one
   * that died is replaced, and a live one's never. Default `true`. Twisted: `wantPID`, `lockfile`.
   */
  readonly lock?: boolean | undefined
}

/** A listening socket inherited as a file descriptor. It is taken over: stopping the listener closes it. */
export interface FdServer extends ListenOptions {
  readonly _tag: "FdServer"
  readonly fd: number
}

/**
 * A listening socket that systemd passed (socket activation: `LISTEN_FDS`, `LISTEN_FDNAMES`, `LISTEN_PID`,
 * sd_listen_fds(3)).
 */
export interface SystemdServer extends ListenOptions {
  readonly _tag: "SystemdServer"
  /** Its place among those passed, from 0, or its name (`FileDescriptorName=`). */
  readonly descriptor: { readonly index: number } | { readonly name: string }
  /** What it must be, when that is to be checked. */
  readonly domain?: "INET" | "INET6" | "UNIX" | undefined
}

/** Standard input and output as one connection, for programs started by inetd, ssh and their kind. */
export interface StdioServer extends StreamOptions {
  readonly _tag: "StdioServer"
}

/** TLS on each connection of another endpoint: a UNIX socket, an inherited descriptor, behind a PROXY header. */
export interface SecuredServer {
  readonly _tag: "SecuredServer"
  readonly inner: Server
  readonly tls: Tls.ServerOptions
}

/** Another endpoint, whose connections begin with a PROXY header that names the real peer. TLS comes behind it. */
export interface ProxiedServer {
  readonly _tag: "ProxiedServer"
  readonly inner: Server
  readonly proxy: ProxyOptions
}

/** Whose PROXY headers are believed. */
export interface ProxyOptions {
  /**
   * Addresses and networks (`10.0.0.0/8`) of the proxies that are believed; `unix` for all peers of UNIX sockets. Others are
   * closed. Who may send a header may name any peer: there is no default.
   */
  readonly trusted: ReadonlyArray<string>
  /** The versions that are understood. Default both. */
  readonly versions?: ReadonlyArray<1 | 2> | undefined
  /** Until the whole header is there. Default 5 seconds. */
  readonly headerTimeout?: Duration.Input | undefined
  /** The longest version 2 header, TLVs and all. Default 4,096; version 1 has at most 107 by its definition. */
  readonly headerBytesMax?: number | undefined
}

/** A kind of endpoint from elsewhere: it listens by means of the reactor it is given. */
export interface CustomServer {
  readonly _tag: "CustomServer"
  readonly description: string
  /** Connections that may wait for somebody to accept; endpoints made around it go by it. Default 511. */
  readonly backlog?: number | undefined
  readonly listen: Effect.Effect<Listener, ListenError, Reactor | Scope.Scope>
}

export type Server =
  | TcpServer
  | TlsServer
  | UnixServer
  | FdServer
  | SystemdServer
  | StdioServer
  | SecuredServer
  | ProxiedServer
  | CustomServer

// --- client side ----------------------------------------------------------------------------------------

export interface TcpClient extends ConnectOptions {
  readonly _tag: "TcpClient"
  /** A name or an IP literal. */
  readonly host: string
  readonly port: number
  /**
   * How long one address of a name is tried alone, before the next one is tried beside it (RFC 8305 §5). Default 250
   * milliseconds; never less than 10, and an infinite one tries address after address.
   */
  readonly attemptDelay?: Duration.Input | undefined
  /** The local address, and port, to come from. */
  readonly bindAddress?: { readonly address: string; readonly port?: number | undefined } | undefined
}

export interface TlsClient extends ConnectOptions {
  readonly _tag: "TlsClient"
  readonly host: string
  readonly port: number
  /** As for TCP: connections race, and the first one gets the handshake. */
  readonly attemptDelay?: Duration.Input | undefined
  readonly bindAddress?: { readonly address: string; readonly port?: number | undefined } | undefined
  readonly tls: Tls.ClientOptions
}

export interface UnixClient extends ConnectOptions {
  readonly _tag: "UnixClient"
  readonly path: string
  /** Refuse, as `BadFile`, when no live process holds `path` + `.lock`. Default `false`. Twisted: `checkPID`. */
  readonly lock?: boolean | undefined
}

/** A connected socket inherited as a file descriptor, as inetd passes one. It is taken over. */
export interface FdClient extends ConnectOptions {
  readonly _tag: "FdClient"
  readonly fd: number
}

/** Standard input and output as a connection. */
export interface StdioClient extends StreamOptions {
  readonly _tag: "StdioClient"
}

/** TLS on a connection made by another endpoint. */
export interface SecuredClient {
  readonly _tag: "SecuredClient"
  readonly inner: Client
  readonly tls: Tls.ClientOptions
}

/** A connection made by another endpoint, that begins with a PROXY header. TLS around it (`securedClient`) comes behind the header. */
export interface ProxiedClient {
  readonly _tag: "ProxiedClient"
  readonly inner: Client
  /** Of the header. Default 2. */
  readonly version?: 1 | 2 | undefined
  /**
   * `own` (default): the ends of this connection, as if there were no proxy; over a UNIX socket, whose ends nobody else could use,
   * nobody. `local`: nobody is spoken for, as in a health check. Or a header, or what makes one of the connection:
   * `ProxyHeader.forwarding(client)` passes the connection of a client on.
   */
  readonly header?: "own" | "local" | Input | ((transport: Transport) => Input) | undefined
}

/** A kind of endpoint from elsewhere: it connects by means of the reactor it is given. */
export interface CustomClient {
  readonly _tag: "CustomClient"
  readonly description: string
  /** Whom it leads to: the name that TLS around it expects in certificates. Default nobody: TLS must be told. */
  readonly host?: string | undefined
  readonly connect: Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope>
}

export type Client =
  | TcpClient
  | TlsClient
  | UnixClient
  | FdClient
  | StdioClient
  | SecuredClient
  | ProxiedClient
  | CustomClient

// --- datagrams ------------------------------------------------------------------------------------------

/** How a datagram port takes part in multicast. All of it can be changed later: `Datagram.multicast`. */
export interface MulticastOptions {
  /** Groups to join: addresses, on all or one interface. */
  readonly groups?:
    | ReadonlyArray<{ readonly group: string; readonly interface?: string | undefined }>
    | undefined
  /** Hops that a datagram sent to a group may take, 0 to 255 (IP_MULTICAST_TTL). Default 1: this network. */
  readonly ttl?: number | undefined
  /** Members on this machine get what we send, too (IP_MULTICAST_LOOP). Default `true`. */
  readonly loopback?: boolean | undefined
  /** The interface that datagrams to a group leave by: its address (IPv4), `::%eth1` (IPv6). Default: the system's choice. */
  readonly interface?: string | undefined
}

export interface Udp {
  readonly _tag: "Udp"
  /** The local port; 0 lets the system choose. */
  readonly port: number
  readonly interface: string
  /** For an IPv6 interface: no IPv4 peers, so that another port can have them. Default `false`. */
  readonly ipv6Only?: boolean | undefined
  /** Talk to this peer only; refusals are then reported. */
  readonly connect?: { readonly host: string; readonly port: number } | undefined
  /** Allow sending to broadcast addresses. Default `false`. */
  readonly broadcast?: boolean | undefined
  /** Share the port with others that ask for the same (SO_REUSEADDR): multicast receivers. Default `false`. */
  readonly reuseAddress?: boolean | undefined
  /** Share the port, each datagram going to one of those who do (SO_REUSEPORT). Default `false`. */
  readonly reusePort?: boolean | undefined
  /** Multicast groups to join at once, and how to send to groups. */
  readonly multicast?: MulticastOptions | undefined
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

/** Listens on a socket inherited as a file descriptor. Twisted: `AdoptedStreamServerEndpoint`. */
export const fd = (args: Args<FdServer>): FdServer => ({ ...args, _tag: "FdServer" })

/** Listens on a socket that systemd passed. Twisted: the `systemd:` endpoint. */
export const systemd = (args: Args<SystemdServer>): SystemdServer => ({ ...args, _tag: "SystemdServer" })

/** Standard input and output as the one connection of a server. Twisted: `StandardIOEndpoint`. */
export const stdio = (args: Args<StdioServer> = {}): StdioServer => ({ ...args, _tag: "StdioServer" })

/** TLS on each connection of `inner`. Twisted: `wrapServerTLS`. */
export const secured = (args: Args<SecuredServer>): SecuredServer => ({ ...args, _tag: "SecuredServer" })

/** Connections of `inner`, known by the peers that their PROXY headers name. Twisted: the `haproxy:` endpoint. */
export const proxied = (args: Args<ProxiedServer>): ProxiedServer => ({ ...args, _tag: "ProxiedServer" })

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

/** Takes over a connected socket inherited as a file descriptor. Twisted: `adoptStreamConnection`. */
export const fdClient = (args: Args<FdClient>): FdClient => ({ ...args, _tag: "FdClient" })

/** Standard input and output as a connection. Twisted: `StandardIO`. */
export const stdioClient = (args: Args<StdioClient> = {}): StdioClient => ({ ...args, _tag: "StdioClient" })

/** TLS on a connection made by `inner`. Twisted: `wrapClientTLS`. */
export const securedClient = (args: Args<SecuredClient>): SecuredClient => ({
  ...args,
  _tag: "SecuredClient"
})

/** Connections of `inner`, with a PROXY header in front. */
export const proxiedClient = (args: Args<ProxiedClient>): ProxiedClient => ({
  ...args,
  _tag: "ProxiedClient"
})

/** A server endpoint that somebody else knows how to open. */
export const custom = (args: Args<CustomServer>): CustomServer => ({ ...args, _tag: "CustomServer" })

/** A client endpoint that somebody else knows how to reach. */
export const customClient = (args: Args<CustomClient>): CustomClient => ({ ...args, _tag: "CustomClient" })
