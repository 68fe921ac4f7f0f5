import * as dgram from "node:dgram"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Datagram } from "../reactor/Datagram.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Resolver from "../reactor/Resolver.ts"
import { type Adopted, NodeDatagramAccelerated } from "./NodeDatagramAccelerated.ts"
import type { NodeDatagramAccelerator } from "./NodeDatagramAccelerator.ts"
import * as NodeDatagramOptions from "./NodeDatagramOptions.ts"
import { NodeDatagramPeers } from "./NodeDatagramPeers.ts"
import { NodeDatagramPort } from "./NodeDatagramPort.ts"
import * as DatagramSocket from "./NodeDatagramSocket.ts"
import type { TakenHandle } from "./NodeListenerSource.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import { getaddrinfo } from "./NodeResolve.ts"

/**
 * Opens a UDP port; the scope's end closes it. A name to connect to is resolved first, in the interface's family.
 *
 * On a connected port a refusal is found by the next `send` or `receive` of any kind: it is always reported to
 * the receiver, and the `send` is done again, perhaps behind a later one.
 */
export const datagram = (
  endpoint: Endpoint.Udp,
  resolver: Resolver.Resolver = getaddrinfo,
  accelerator?: NodeDatagramAccelerator,
  listeners?: NodeListeners
): Effect.Effect<Datagram, ListenError, Scope.Scope> => opened(endpoint, resolver, accelerator, listeners)

const opened = Effect.fn("NodeReactor.datagram")(
  function* (
    endpoint: Endpoint.Udp,
    resolver: Resolver.Resolver,
    accelerator: NodeDatagramAccelerator | undefined,
    listeners: NodeListeners | undefined
  ): Effect.fn.Return<Datagram, ListenReason, Scope.Scope> {
    const host = yield* prepare(endpoint, resolver)
    return yield* DatagramSocket.acquire(listeners, endpoint, (endpoint, socket, taken) =>
      open(endpoint, { host, accelerator, place: socket, taken })
    )
  },
  (effect, endpoint) =>
    Effect.mapError(
      effect,
      (reason) => new ListenError({ endpoint: EndpointFormat.format(endpoint), reason })
    )
)

/** Checks the options; gives the numeric host to connect to, if any. */
const prepare = (
  endpoint: Endpoint.Udp,
  resolver: Resolver.Resolver
): Effect.Effect<string | undefined, ListenReason> => {
  const problem = NodeDatagramOptions.problemOf(endpoint)
  if (problem !== undefined) return Effect.fail(problem)
  const host = endpoint.connect?.host
  // The resolver knows no zones; to Node they are part of the literal.
  if (host === undefined || (host.includes("%") && net.isIPv6(host))) return Effect.succeed(host)
  return Resolver.resolve(resolver, host, { family: NodeDatagramOptions.familyOf(endpoint) }).pipe(
    Effect.map((addresses) => NetAddress.formatIp(addresses[0])),
    Effect.mapError((error) => error.reason)
  )
}

interface Opening {
  /** Numeric, to connect to. */
  readonly host: string | undefined
  readonly accelerator: NodeDatagramAccelerator | undefined
  readonly place: DatagramSocket.DatagramSocket
  readonly taken: TakenHandle | undefined
}

const open = (endpoint: Endpoint.Udp, { accelerator, host, place, taken }: Opening) =>
  Effect.callback<NodeDatagramPort, ListenReason>((resume) => {
    const working = accelerator?.isWorking === true ? accelerator : undefined
    const own = taken === undefined && working !== undefined ? adopt(endpoint, working) : undefined
    const socket = own?.socket ?? createSocket(endpoint)
    const adopted =
      taken === undefined || working === undefined
        ? own
        : { socket, fd: taken.handle.fd, accelerator: working }
    const refuse = (reason: ListenReason) => {
      socket.off("error", gotError).on("error", ignore).close()
      resume(Effect.fail(reason))
    }
    const gotError = (error: unknown) => refuse(Errno.listenReason(error))
    const orRefuse = (run: () => void) => () => {
      try {
        run()
      } catch (error) {
        gotError(error)
      }
    }
    const ready = orRefuse(() => {
      const limits = NodeDatagramOptions.limitsOf(endpoint)
      const connected = host !== undefined
      const port =
        adopted === undefined
          ? new NodeDatagramPort(socket, limits, connected)
          : new NodeDatagramAccelerated(adopted, limits, connected)
      const problem =
        endpoint.multicast === undefined ? undefined : port.multicast.configure(endpoint.multicast)
      if (problem !== undefined) return refuse(problem)
      socket.off("error", gotError)
      place.opened(socket)
      resume(Effect.succeed(port))
    })
    const configure = orRefuse(() => {
      if (endpoint.broadcast === true) socket.setBroadcast(true)
      if (endpoint.receiveBufferBytes !== undefined) socket.setRecvBufferSize(endpoint.receiveBufferBytes)
      if (endpoint.sendBufferBytes !== undefined) socket.setSendBufferSize(endpoint.sendBufferBytes)
      if (host === undefined) ready()
      else socket.once("connect", ready).connect(endpoint.connect!.port, host)
    })
    socket.on("error", gotError)
    if (taken !== undefined) {
      return orRefuse(() => {
        place.bind(socket, taken)
        configure()
      })()
    }
    if (adopted !== undefined) return configure()
    socket.once("listening", configure).bind({ address: endpoint.interface, port: endpoint.port })
  })

/** A socket of the accelerator's making, bound; `undefined` where it cannot: then the ordinary way works, or tells why not. */
const adopt = (endpoint: Endpoint.Udp, accelerator: NodeDatagramAccelerator): Adopted | undefined => {
  if (endpoint.ipv6Only === true) return undefined
  const fd = accelerator.open({
    address: new NodeDatagramPeers().address(endpoint.interface, endpoint.port),
    reuseAddress: endpoint.reuseAddress ?? false,
    reusePort: endpoint.reusePort ?? false
  })
  if (fd === undefined) return undefined
  const socket = createSocket(endpoint)
  try {
    // Exclusive: no worker of a cluster asks its primary for it.
    socket.bind({ fd, exclusive: true })
  } catch (error) {
    socket.on("error", ignore).close()
    accelerator.libc.close(fd)
    accelerator.giveUp(`adopting a socket: ${String(error)}`)
    return undefined
  }
  if (endpoint.reuseAddress !== true) accelerator.libc.unshare(fd)
  return { socket, fd, accelerator }
}
const createSocket = (endpoint: Endpoint.Udp): dgram.Socket =>
  dgram.createSocket({
    type: NodeDatagramOptions.familyOf(endpoint) === "IPv6" ? "udp6" : "udp4",
    reuseAddr: endpoint.reuseAddress ?? false,
    reusePort: endpoint.reusePort ?? false,
    ipv6Only: endpoint.ipv6Only ?? false,
    lookup: numeric
  })

/** All addresses are numeric: no datagram waits for a resolver. The socket's type decides the family, not this. */
const numeric: dgram.SocketOptions["lookup"] = (address, _options, callback) => callback(null, address, 0)

const ignore = () => {}
