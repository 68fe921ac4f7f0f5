import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import { ConnectError, type ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Turn } from "../reactor/Turn.ts"
import * as NodeAddress from "./NodeAddress.ts"
import { secure } from "./NodeStartTls.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import { invalidPort, isPort, limitsOf, socketOptions } from "./streamSettings.ts"
import { unixError } from "./unixError.ts"

type Built = Exclude<Endpoint.Client, Endpoint.CustomClient>

const timeoutDefault = "30 seconds"

/** Connects; the scope's end closes the connection. */
export const connect = Effect.fn("NodeReactor.connect")(function* (
  turn: Turn,
  endpoint: Built
): Effect.fn.Return<Transport, ConnectError, Scope.Scope> {
  const scope = yield* Effect.scope
  const description = EndpointFormat.format(endpoint)
  const fail = (reason: ConnectReason) => Effect.fail(new ConnectError({ endpoint: description, reason }))
  const timeout = endpoint.timeout ?? timeoutDefault
  let made: NodeTransport | undefined
  return yield* Effect.uninterruptibleMask((restore) =>
    restore(
      Effect.timeoutOrElse(
        open(turn, endpoint, (transport) => {
          made = transport
        }),
        {
          duration: timeout,
          orElse: () => Effect.fail(new Reason.TimedOut({ detail: "no answer in time", errno: "ETIMEDOUT" }))
        }
      )
    ).pipe(
      // Given up in the very turn it succeeded: nobody else knows the connection.
      Effect.onError(() => made?.abort ?? Effect.void),
      Effect.catch(fail),
      Effect.tap((transport) => Scope.addFinalizer(scope, transport.close))
    )
  )
})

const open = (turn: Turn, endpoint: Built, onMade: (transport: NodeTransport) => void) =>
  Effect.callback<NodeTransport, ConnectReason>((resume) => {
    const shared: Shared = { turn, limits: limitsOf(endpoint), secure }
    const invalid = invalidPlace(endpoint)
    if (invalid !== undefined) return resume(Effect.fail(invalid))
    let carrier: net.Socket
    try {
      carrier = net.connect(connectOptions(endpoint))
    } catch (error) {
      return resume(Effect.fail(Errno.connectReason(error)))
    }
    let socket = carrier
    const destroy = () => {
      carrier.destroy()
      socket.destroy()
    }
    const refuse = (error: unknown) => {
      destroy()
      resume(Effect.fail(reasonOf(endpoint, firstOf(error))))
    }
    // An error of the other socket of the two may come behind this one's end, and says more.
    const gone = () => setImmediate(refuse, closedByPeer())
    const succeed = () => {
      socket.off("close", gone)
      const transport = new NodeTransport(
        socket,
        shared,
        endsOf(socket, endpoint),
        NodeTls.security(socket),
        carrier
      )
      socket.off("error", refuse)
      onMade(transport)
      resume(Effect.succeed(transport))
    }
    // It stays until the sockets are gone: nobody else listens to an error that comes after the refusal.
    carrier.on("error", refuse)
    carrier.once("close", gone)
    carrier.once("connect", () => {
      if (endpoint._tag !== "TlsClient") return succeed()
      // Not before: a socket that tries one address after another changes its handle, and Node crashes when TLS
      // holds the old one.
      try {
        socket = secured(endpoint, carrier)
      } catch (error) {
        destroy()
        return resume(Effect.fail(NodeTls.optionsError(error)))
      }
      carrier.off("close", gone)
      socket.on("error", refuse)
      socket.once("close", gone)
      socket.once("secureConnect", succeed)
    })
    return Effect.sync(destroy)
  })

/**
 * What can never be connected to, or come from. Node throws for most of it when it has made a handle already, and
 * forgets that; a bad local port it takes for another one.
 */
const invalidPlace = (endpoint: Built): Reason.InvalidAddress | undefined => {
  if (endpoint._tag === "UnixClient") return undefined
  const { bindAddress, port } = endpoint
  if (!isPort(port)) return invalidPort(port)
  if (bindAddress === undefined) return undefined
  if (bindAddress.port !== undefined && !isPort(bindAddress.port)) return invalidPort(bindAddress.port)
  return net.isIP(bindAddress.address) > 0
    ? undefined
    : new Reason.InvalidAddress({
        detail: `"${bindAddress.address}" is no address to come from`,
        errno: "ERR_INVALID_IP_ADDRESS"
      })
}

const reasonOf = (endpoint: Built, error: unknown): ConnectReason =>
  Errno.connectReason(endpoint._tag === "UnixClient" ? unixError(endpoint.path, error) : error)

const closedByPeer = () => Object.assign(new Error("the peer closed the connection"), { code: "ECONNRESET" })

const secured = (endpoint: Endpoint.TlsClient, socket: net.Socket): tls.TLSSocket => {
  // The typings lack `allowHalfOpen`.
  const settings = { ...NodeTls.clientOptions(endpoint.tls, endpoint.host), socket, allowHalfOpen: true }
  return tls.connect(settings)
}

const connectOptions = (endpoint: Built): net.NetConnectOpts =>
  endpoint._tag === "UnixClient"
    ? { path: endpoint.path, ...socketOptions(endpoint) }
    : {
        host: endpoint.host,
        port: endpoint.port,
        ...(endpoint.bindAddress === undefined
          ? undefined
          : { localAddress: endpoint.bindAddress.address, localPort: endpoint.bindAddress.port }),
        ...socketOptions(endpoint)
      }

const endsOf = (socket: net.Socket, endpoint: Built): NodeAddress.Ends =>
  endpoint._tag === "UnixClient"
    ? { local: NetAddress.unixPathAddress(""), peer: NetAddress.unixPathAddress(endpoint.path) }
    : new NodeAddress.TcpEnds(socket)

/** Node joins the failures of several addresses; the first one is named. */
const firstOf = (error: unknown): unknown =>
  error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
