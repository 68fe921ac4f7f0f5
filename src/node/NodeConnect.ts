import * as net from "node:net"
import type * as tls from "node:tls"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import * as HappyEyeballs from "../reactor/HappyEyeballs.ts"
import { ConnectError, type ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Resolver from "../reactor/Resolver.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as NodeAddress from "./NodeAddress.ts"
import { closedByPeer, dial, literalPlace, type Place, placeAt } from "./NodeDial.ts"
import type { NodeSite } from "./NodeSite.ts"
import { secure } from "./NodeStartTls.ts"
import * as NodeTls from "./NodeTls.ts"
import * as NodeTlsClient from "./NodeTlsClient.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import {
  invalidPort,
  invalidStream,
  isPort,
  keepAliveOf,
  keepSocketAlive,
  limitsOf,
  socketOptions
} from "./streamSettings.ts"
import { unixError } from "./unixError.ts"
import * as UnixLock from "./UnixLock.ts"

type Inet = Endpoint.TcpClient | Endpoint.TlsClient
type Built = Inet | Endpoint.UnixClient

const timeoutDefault = "30 seconds"

/** Connects; the scope's end closes the connection. A span costs a tenth of all that: only where somebody listens. */
export const connect = (
  site: NodeSite,
  endpoint: Built
): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
  Effect.withFiber((fiber) =>
    // Not by its map: that would be made, of every service that there is.
    Context.getOrUndefined(fiber.context, Tracer.Tracer) === undefined
      ? opened(site, endpoint)
      : Effect.withSpan(opened(site, endpoint), "NodeReactor.connect")
  )

const opened = (site: NodeSite, endpoint: Built): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    const connecting = new Connecting(site, endpoint)
    const duration = Duration.fromInputUnsafe(endpoint.timeout ?? timeoutDefault)
    // Whoever has a clock of its own asks for none: a race costs two fibers.
    const inTime = Duration.isFinite(duration)
      ? Effect.timeoutOrElse(connecting.open, { duration, orElse: () => Effect.fail(connecting.timedOut) })
      : connecting.open
    return Effect.matchCauseEffect(restore(inTime), {
      onFailure: (cause) => {
        connecting.keepOnly(undefined)
        return Effect.failCause(Cause.map(cause, (reason) => connecting.error(reason)))
      },
      onSuccess: (transport) => {
        connecting.keepOnly(transport)
        return Effect.flatMap(Effect.scope, (scope) =>
          Effect.as(Scope.addFinalizer(scope, transport.close), transport)
        )
      }
    })
  })

/** What can be dropped when nobody wants it. */
interface Made {
  /** The TCP or UNIX socket. */
  readonly carrier: net.Socket
  discard(): void
}

/** A TCP connection that is to carry TLS. */
interface Carrier extends Made {
  readonly address: NetAddress.InetAddress
}

/** One call of `connect`: what it has made so far, and what it has tried. */
class Connecting {
  private readonly site: NodeSite
  private readonly endpoint: Built
  private readonly shared: Shared
  private readonly tried = new HappyEyeballs.Tried()
  private readonly made: Array<Made> = []

  constructor(site: NodeSite, endpoint: Built) {
    this.site = site
    this.endpoint = endpoint
    this.shared = { turn: site.turn, limits: limitsOf(endpoint), secure, noDelay: isNoDelayLate(endpoint) }
  }

  get open(): Effect.Effect<NodeTransport, ConnectReason> {
    const { endpoint } = this
    const invalid = invalidStream(endpoint)
    if (invalid !== undefined) return Effect.fail(invalid)
    switch (endpoint._tag) {
      case "UnixClient":
        return this.openUnix(endpoint)
      case "TcpClient":
        return this.reach(endpoint, (socket, address) =>
          this.transport(socket, NodeAddress.dialedEnds(socket, address))
        )
      case "TlsClient":
        return Effect.flatMap(
          this.reach(endpoint, (socket, address) => this.carrier(socket, address)),
          (carrier) => this.secured(endpoint, carrier)
        )
    }
  }

  /** Drops all that was made, but for this one and what carries it: an attempt may be given up in the turn it succeeds. */
  keepOnly(transport: NodeTransport | undefined): void {
    // TLS before what carries it.
    for (const made of this.made.reverse()) {
      if (transport === undefined || made.carrier !== transport.carrier) made.discard()
    }
  }

  get timedOut(): Reason.TimedOut {
    const isUnresolved = this.endpoint._tag !== "UnixClient" && this.tried.attempts.length === 0
    const detail = isUnresolved ? "the name was not resolved in time" : "no answer in time"
    return new Reason.TimedOut({ detail, errno: "ETIMEDOUT" })
  }

  error(reason: ConnectReason): ConnectError {
    const { attempts } = this.tried
    const endpoint = EndpointFormat.format(this.endpoint)
    return new ConnectError({ endpoint, reason, attempts: attempts.length === 0 ? undefined : [...attempts] })
  }

  private openUnix(endpoint: Endpoint.UnixClient): Effect.Effect<NodeTransport, ConnectReason> {
    const unlocked = endpoint.lock === true ? UnixLock.notHeld(endpoint.path) : undefined
    if (unlocked !== undefined) return Effect.fail(unlocked)
    const ends = { local: NetAddress.unixPathAddress(""), peer: NetAddress.unixPathAddress(endpoint.path) }
    return dial({
      place: { path: endpoint.path, ...socketOptions(endpoint) },
      turn: this.site.turn,
      take: (socket) => this.transport(socket, ends),
      reasonOf: (error) => Errno.connectReason(unixError(endpoint.path, error))
    })
  }

  /** The host's addresses, whichever answers first. */
  private reach<A extends Made>(
    endpoint: Inet,
    take: (socket: net.Socket, address: NetAddress.InetAddress) => A
  ): Effect.Effect<A, ConnectReason> {
    const invalid = invalidPlace(endpoint)
    if (invalid !== undefined) return Effect.fail(invalid)
    const { attemptDelay, host, port } = endpoint
    const settings = placeSettings(endpoint)
    const keepAlive = keepAliveOf(endpoint)
    const attempt = ({ address, host }: Place) =>
      this.tried.at(
        address,
        dial({
          place: { ...settings, host },
          turn: this.site.turn,
          take: (socket) => {
            if (keepAlive !== undefined) keepSocketAlive(socket, keepAlive)
            return take(socket, address)
          },
          reasonOf: Errno.connectReason
        })
      )
    const literal = literalPlace(host, port)
    if (literal !== undefined) return Effect.flatMap(Effect.fromResult(literal), attempt)
    // From a local address only its own family can be reached.
    const family = endpoint.bindAddress && (net.isIPv6(endpoint.bindAddress.address) ? "IPv6" : "IPv4")
    return Resolver.resolve(this.site.resolver, host, { family }).pipe(
      Effect.mapError(({ reason }) => reason),
      Effect.flatMap((addresses) =>
        HappyEyeballs.race(
          Arr.map(HappyEyeballs.order(addresses), (address) => placeAt(address, port)),
          attempt,
          { attemptDelay, discard: (made) => Effect.sync(() => made.discard()) }
        )
      )
    )
  }

  private transport(socket: net.Socket, ends: NodeAddress.Ends, carrier: net.Socket = socket): NodeTransport {
    const transport = new NodeTransport(socket, this.shared, ends, NodeTls.security(socket), carrier)
    this.made.push(transport)
    return transport
  }

  private carrier(socket: net.Socket, address: NetAddress.InetAddress): Carrier {
    socket.on("error", ignore)
    const carrier: Carrier = { carrier: socket, address, discard: () => socket.destroy() }
    this.made.push(carrier)
    return carrier
  }

  /** The handshake, on the one connection that won. */
  private secured(
    endpoint: Endpoint.TlsClient,
    { address, carrier }: Carrier
  ): Effect.Effect<NodeTransport, ConnectReason> {
    const handshake = Effect.callback<NodeTransport, ConnectReason>((resume) => {
      if (carrier.destroyed) {
        return resume(Effect.fail(Errno.connectReason(carrier.errored ?? closedByPeer())))
      }
      let socket: tls.TLSSocket
      try {
        socket = NodeTlsClient.start(this.site, endpoint, carrier)
      } catch (error) {
        carrier.destroy()
        return resume(Effect.fail(NodeTls.optionsError(error)))
      }
      const destroy = () => {
        carrier.destroy()
        socket.destroy()
      }
      const refuse = (error: unknown) => {
        destroy()
        resume(Effect.fail(Errno.connectReason(error)))
      }
      // An error of the other socket of the two may come behind this one's end, and says more.
      const gone = () => setImmediate(refuse, closedByPeer())
      // They stay until the sockets are gone: nobody else listens to an error that comes after the refusal.
      carrier.on("error", refuse)
      socket.on("error", refuse)
      socket.once("close", gone)
      socket.once("secureConnect", () => {
        socket.off("close", gone)
        const transport = this.transport(socket, new NodeAddress.TcpEnds(socket), carrier)
        socket.off("error", refuse)
        resume(NodeTlsClient.verified(endpoint.tls, transport, socket))
      })
      return Effect.sync(destroy)
    })
    return Effect.tapError(handshake, (reason) => Effect.sync(() => this.tried.failed(address, reason)))
  }
}

const ignore = () => {}

/**
 * What can never be connected to, or come from. Node throws for most of it when it has made a handle already, and
 * forgets that; a bad local port it takes for another one.
 */
const invalidPlace = ({ bindAddress, port }: Inet): Reason.InvalidAddress | undefined => {
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

/** All of Node's options but the host: one numeric address at a time, never a name. */
const placeSettings = (endpoint: Inet) => {
  const options = socketOptions(endpoint)
  return {
    ...options,
    noDelay: options.noDelay && !isNoDelayLate(endpoint),
    port: endpoint.port,
    localAddress: endpoint.bindAddress?.address,
    localPort: endpoint.bindAddress?.port,
    autoSelectFamily: false,
    lookup: neverLookUp
  }
}

/** TCP_NODELAY is left to the transport (see `Shared`), where there is one from the first byte on. */
const isNoDelayLate = (endpoint: Built): boolean =>
  endpoint._tag === "TcpClient" && endpoint.noDelay !== false

/** Node asks only about what it takes for no address. */
const neverLookUp: net.LookupFunction = (host, _, callback) =>
  callback(
    Object.assign(new Error(`"${host}" is no numeric address`), { code: "ERR_INVALID_IP_ADDRESS" }),
    ""
  )
