import type * as net from "node:net"
import * as os from "node:os"
import * as NetAddress from "effect/net/NetAddress"

/** What Node tells of one end of a socket; a UNIX peer without a name has none. */
export interface Native {
  readonly address?: string | undefined
  readonly port?: number | undefined
}

/** The address as a value; an end without one (a UNIX client) is the empty path. */
export const fromNative = (native: Native): NetAddress.SocketAddress =>
  native.address === undefined || native.port === undefined
    ? NetAddress.unixPathAddress(native.address ?? "")
    : inetAddress(native.address, native.port)

/** The zones of IPv6 addresses, by the names of this machine's interfaces. */
export const scopeIds = (): Map<string, number> =>
  NetAddress.scopeIdsFromInterfaces(Object.entries(os.networkInterfaces()))

const inetAddress = (host: string, port: number): NetAddress.InetAddress => {
  const zone = host.indexOf("%")
  if (zone < 0) return NetAddress.inetAddressFromNativeUnsafe(host, port)
  const known = scopeIds()
  // An interface that has gone since: its zone means nothing any more.
  return NetAddress.inetAddressFromNativeUnsafe(
    known.has(host.slice(zone + 1)) ? host : host.slice(0, zone),
    port,
    known
  )
}

/** The two ends of a connection. */
export interface Ends {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
}

/**
 * The ends of a TCP socket, made into values when somebody asks. The peer is read from the system at once: a
 * socket that was reset no longer knows it, and the report of that reset must name it.
 */
export class TcpEnds implements Ends {
  private readonly socket: net.Socket
  private readonly remoteAddress: string
  private readonly remotePort: number
  private localAddress: NetAddress.SocketAddress | undefined = undefined

  constructor(socket: net.Socket, listener?: NetAddress.SocketAddress) {
    this.socket = socket
    this.remoteAddress = socket.remoteAddress ?? "0.0.0.0"
    this.remotePort = socket.remotePort ?? 0
    // A listener bound to one address knows the local end of all its connections.
    if (
      listener !== undefined &&
      NetAddress.isInetAddress(listener) &&
      !NetAddress.isUnspecified(listener.address)
    ) {
      this.localAddress = listener
    }
  }

  get peer(): NetAddress.SocketAddress {
    return fromNative({ address: this.remoteAddress, port: this.remotePort })
  }

  get local(): NetAddress.SocketAddress {
    return (this.localAddress ??= localOf(this.socket))
  }
}

const localOf = (socket: net.Socket): NetAddress.SocketAddress =>
  fromNative({ address: socket.localAddress ?? "0.0.0.0", port: socket.localPort ?? 0 })

/** The ends of a TCP socket whose peer need not be asked for. */
class DialedEnds implements Ends {
  readonly peer: NetAddress.SocketAddress
  private readonly socket: net.Socket
  private localAddress: NetAddress.SocketAddress | undefined = undefined

  constructor(socket: net.Socket, peer: NetAddress.SocketAddress) {
    this.socket = socket
    this.peer = peer
  }

  get local(): NetAddress.SocketAddress {
    return (this.localAddress ??= localOf(this.socket))
  }
}

/** The ends of a socket that was connected to `place`, which is its peer; of IPv6 the system tells the zone. */
export const dialedEnds = (socket: net.Socket, place: NetAddress.InetAddress): Ends =>
  NetAddress.isIpv4Address(place.address) && !NetAddress.isUnspecified(place.address)
    ? new DialedEnds(socket, place)
    : new TcpEnds(socket)
