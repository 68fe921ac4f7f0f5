import * as dgram from "node:dgram"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Datagram } from "../reactor/Datagram.ts"
import { type DatagramLimits, DatagramPort, type Packet } from "../reactor/DatagramPort.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import { type DatagramReason, ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as NodeDatagramOptions from "./NodeDatagramOptions.ts"
import { NodeDatagramPeers } from "./NodeDatagramPeers.ts"
import { resolve } from "./NodeResolve.ts"

/**
 * Opens a UDP port; the scope's end closes it. A name to connect to is resolved first, in the interface's family.
 *
 * On a connected port a refusal is found by the next `send` or `receive` of any kind: it is always reported to
 * the receiver, and the `send` is done again, perhaps behind a later one.
 */
export const datagram = Effect.fn("NodeReactor.datagram")(
  function* (endpoint: Endpoint.Udp): Effect.fn.Return<Datagram, ListenReason, Scope.Scope> {
    const host = yield* prepare(endpoint)
    return yield* Effect.acquireRelease(open(endpoint, host), (port) => port.close)
  },
  (effect, endpoint) =>
    Effect.mapError(
      effect,
      (reason) => new ListenError({ endpoint: EndpointFormat.format(endpoint), reason })
    )
)

/** Checks the options; gives the numeric host to connect to, if any. */
const prepare = (endpoint: Endpoint.Udp): Effect.Effect<string | undefined, ListenReason> => {
  const problem = NodeDatagramOptions.problemOf(endpoint)
  if (problem !== undefined) return Effect.fail(problem)
  const host = endpoint.connect?.host
  // The resolver knows no zones; to Node they are part of the literal.
  if (host === undefined || (host.includes("%") && net.isIPv6(host))) return Effect.succeed(host)
  return resolve(host, { family: NodeDatagramOptions.familyOf(endpoint) }).pipe(
    Effect.map((addresses) => NetAddress.formatIp(addresses[0])),
    Effect.mapError((error) => error.reason)
  )
}

const open = (endpoint: Endpoint.Udp, host: string | undefined) =>
  Effect.callback<NodeDatagram, ListenReason>((resume) => {
    const socket = createSocket(endpoint)
    const refuse = (error: unknown) => {
      socket.off("error", refuse).on("error", ignore).close()
      resume(Effect.fail(Errno.listenReason(error)))
    }
    const orRefuse = (run: () => void) => () => {
      try {
        run()
      } catch (error) {
        refuse(error)
      }
    }
    const ready = orRefuse(() => {
      const port = new NodeDatagram(socket, NodeDatagramOptions.limitsOf(endpoint), host !== undefined)
      socket.off("error", refuse)
      resume(Effect.succeed(port))
    })
    const configure = orRefuse(() => {
      if (endpoint.broadcast === true) socket.setBroadcast(true)
      if (endpoint.receiveBufferBytes !== undefined) socket.setRecvBufferSize(endpoint.receiveBufferBytes)
      if (endpoint.sendBufferBytes !== undefined) socket.setSendBufferSize(endpoint.sendBufferBytes)
      if (host === undefined) ready()
      else socket.once("connect", ready).connect(endpoint.connect!.port, host)
    })
    socket.on("error", refuse).once("listening", configure)
    socket.bind({ address: endpoint.interface, port: endpoint.port })
  })

const createSocket = (endpoint: Endpoint.Udp): dgram.Socket =>
  dgram.createSocket({
    type: NodeDatagramOptions.familyOf(endpoint) === "IPv6" ? "udp6" : "udp4",
    reuseAddr: endpoint.reuseAddress ?? false,
    lookup: numeric
  })

/** All addresses are numeric: no datagram waits for a resolver. The socket's type decides the family, not this. */
const numeric: dgram.SocketOptions["lookup"] = (address, _options, callback) => callback(null, address, 0)

const ignore = () => {}

/**
 * What the next `send` or `recv` on a connected socket says about an earlier datagram: an ICMP message came for
 * it. The call itself did nothing then.
 */
const aboutEarlier = new Set(["ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "ENOPROTOOPT"])
/** Each attempt clears one such report; more than a few in a row mean that somebody floods us with them. */
const attemptsMax = 8

type Settled = (packet: Packet, failure: DatagramReason | undefined) => void

/** A bound `dgram.Socket` as a port. */
class NodeDatagram extends DatagramPort {
  readonly local: NetAddress.InetAddress
  readonly peer: NetAddress.InetAddress | undefined
  private readonly socket: dgram.Socket
  private readonly peers = new NodeDatagramPeers()
  private turnEnds = false

  constructor(socket: dgram.Socket, limits: DatagramLimits, connected: boolean) {
    super(limits)
    this.socket = socket
    const local = socket.address()
    this.local = this.peers.address(local.address, local.port)
    socket.on("error", (error) => this.gotProblem(Errno.datagramReason(error)))
    socket.on("close", () => this.onClosed())
    if (connected) {
      const { address, port } = socket.remoteAddress()
      const peer = (this.peer = this.peers.address(address, port))
      // What came between bind and connect may be from anybody.
      socket.on("message", (bytes, from) => {
        if (from.port === port && from.address === address) this.gotDatagram(bytes, peer)
      })
    } else {
      socket.on("message", (bytes, from) =>
        this.gotDatagram(bytes, this.peers.address(from.address, from.port))
      )
    }
  }

  protected transmit(packets: ReadonlyArray<Packet>, settled: Settled): void {
    for (const packet of packets) this.post(packet, settled, 1)
  }

  private post(packet: Packet, settled: Settled, attempt: number): void {
    const { bytes, peer } = packet
    const done = (error: Error | null): void => {
      if (!error) return settled(packet, undefined)
      const reason = Errno.datagramReason(error)
      if (this.peer === undefined || attempt === attemptsMax || !aboutEarlier.has(Errno.codeOf(error))) {
        return settled(packet, reason)
      }
      this.gotProblem(reason)
      this.post(packet, settled, attempt + 1)
    }
    try {
      if (this.peer !== undefined) this.socket.send(bytes, done)
      else this.socket.send(bytes, peer.port, this.peers.host(peer), done)
    } catch (error) {
      settled(packet, Errno.datagramReason(error))
    }
  }

  protected closeNow(): void {
    this.socket.close()
  }

  private gotDatagram(bytes: Uint8Array, peer: NetAddress.InetAddress): void {
    this.onDatagram(bytes, peer)
    this.endTurn()
  }

  private gotProblem(reason: DatagramReason): void {
    this.onProblem(reason, this.peer)
    this.endTurn()
  }

  /**
   * libuv reads up to 32 datagrams in a row, each its own event with a tick queue behind it; immediates run once,
   * when all sockets have been read. So that is where a batch ends: an echo costs about three quarters of what handing
   * over in the event or by `nextTick` costs, and no more than bare `node:dgram`, whose sends tell nothing.
   */
  private endTurn(): void {
    if (this.turnEnds) return
    this.turnEnds = true
    setImmediate(this.turnEnd)
  }

  private readonly turnEnd = (): void => {
    this.turnEnds = false
    this.onTurnEnd()
  }
}
