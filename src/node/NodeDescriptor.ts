/**
 * Sockets that this process was given open: those it inherited, those of systemd. Node takes a descriptor over: it is closed
 * with its listener or connection. (Twisted works on a copy and leaves the original open; Node has no `dup`.)
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ConnectError, type ConnectReason, ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import * as listening from "./listening.ts"
import * as NodeAddress from "./NodeAddress.ts"
import * as nativeHandle from "./nativeHandle.ts"
import * as NodeBinding from "./NodeBinding.ts"
import type { NodeSite } from "./NodeSite.ts"
import { secure } from "./NodeStartTls.ts"
import { NodeTransport } from "./NodeTransport.ts"
import * as ServerSocket from "./ServerSocket.ts"
import * as SocketTable from "./SocketTable.ts"
import { isStandard, vacate } from "./standardDescriptors.ts"
import { invalidStream, limitsOf, socketOptions, tuneSocket } from "./streamSettings.ts"
import * as SystemdDescriptors from "./SystemdDescriptors.ts"

/**
 * Descriptors that were taken over and are open. They belong to the process, and so does this. libuv would refuse a second
 * taking, too, but Node then forgets the handle that it made for it.
 */
const inUse = new Set<number>()

const takeOver = (fd: number): void => {
  inUse.add(fd)
}

/** It is closed, or about to be. */
const giveUp = (fd: number): void => {
  inUse.delete(fd)
  // libuv leaves these open.
  if (isStandard(fd)) vacate(fd)
}

// --- listening ------------------------------------------------------------------------------------------

/** Listens on an inherited socket; the scope's end stops it, and closes the descriptor. */
export const listen = Effect.fn("NodeReactor.listenDescriptor")(function* (
  site: NodeSite,
  endpoint: Endpoint.FdServer | Endpoint.SystemdServer
): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
  const description = EndpointFormat.format(endpoint)
  const failures = yield* AcceptFailures.make(description)
  const fail = (reason: ListenReason) => new ListenError({ endpoint: description, reason })
  return yield* ServerSocket.acquire(
    site.listeners,
    NodeBinding.of(endpoint),
    (socket, taken) => {
      const opening = { endpoint, description, failures, socket }
      if (taken !== undefined) return listening.open(site, { ...opening, ...ofTaken(taken) })
      const found = invalidStream(endpoint) ?? find(endpoint)
      if (!("fd" in found)) return Effect.fail(fail(found))
      const { fd, start, address } = found
      return listening.open(site, {
        ...opening,
        bind: (server) => start(server, listening.backlogOf(endpoint)),
        bound: (actual) => {
          takeOver(fd)
          return { address: address ?? actual, closed: () => giveUp(fd) }
        },
        reasonOf: whyNotListening(fd)
      })
    },
    fail
  )
})

/** Another process had the descriptor, and handed its socket on. */
const ofTaken = (taken: ServerSocket.TakenStream): Pick<listening.Opening, "bind" | "bound"> => ({
  bind: () => {},
  bound: (actual) => ({
    address:
      taken._tag === "Handle" && nativeHandle.addressOf(taken.handle) === undefined
        ? unixAddressOf(taken.handle.fd)
        : actual
  })
})

const unixAddressOf = (fd: number): NetAddress.SocketAddress => {
  const inspected = SocketTable.inspect(fd)
  return unixAddress("stats" in inspected ? inspected.facts : undefined)
}

interface Found {
  readonly fd: number
  /** Of a UNIX socket, which Node does not tell. */
  readonly address: NetAddress.SocketAddress | undefined
  readonly start: (server: net.Server, backlog: number) => void
}

const find = (endpoint: Endpoint.FdServer | Endpoint.SystemdServer): Found | ListenReason => {
  if (endpoint._tag === "FdServer") return usable(endpoint.fd, undefined)
  const passed = SystemdDescriptors.find(endpoint)
  if (!("fd" in passed)) return passed
  const found = usable(passed.fd, endpoint.domain)
  if ("fd" in found) SystemdDescriptors.take(passed)
  return found
}

/** A socket that listens, as far as one can tell before trying, and of the domain that is wanted. */
const usable = (fd: number, domain: SocketTable.Domain | undefined): Found | ListenReason => {
  if (inUse.has(fd)) {
    return new Reason.AlreadyListened({ detail: `descriptor ${fd} is in use already`, errno: "EEXIST" })
  }
  const inspected = SocketTable.inspect(fd)
  if (!("stats" in inspected)) return inspected
  const { facts } = inspected
  if (facts === undefined) return unlisted(fd, domain)
  const what = SocketTable.describe(facts)
  if (facts.state !== "Listening") return SocketTable.notOfUse(fd, what, "EINVAL")
  if (domain !== undefined && facts.domain !== domain) return ofAnotherDomain(fd, what, domain)
  return {
    fd,
    address: facts.domain === "UNIX" ? unixAddress(facts) : undefined,
    start: (server, backlog) => server.listen({ fd }, backlog)
  }
}

/**
 * A socket from another network namespace, or a TCP socket that does not listen yet: it begins to, if it has a port. What it
 * is shows only when Node has it; one that is refused then is closed.
 */
const unlisted = (fd: number, domain: SocketTable.Domain | undefined): Found => ({
  fd,
  address: undefined,
  start: (server, backlog) => {
    // Not to read from.
    const socket = new net.Socket({ fd, readable: false, writable: false })
    // Node knows no end of a UNIX socket, and both of TCP.
    const { family, port } = socket.address() as Partial<net.AddressInfo>
    const actual = family === undefined ? "UNIX" : family === "IPv6" ? "INET6" : "INET"
    const problem =
      domain !== undefined && actual !== domain
        ? ofAnotherDomain(fd, `a socket of the domain ${actual}`, domain)
        : port === 0
          ? SocketTable.notOfUse(fd, "a socket that neither listens nor has a port", "EINVAL")
          : undefined
    if (problem === undefined) return server.listen(socket, backlog)
    socket.destroy()
    throw problem
  }
})

const ofAnotherDomain = (fd: number, what: string, domain: SocketTable.Domain) =>
  SocketTable.notOfUse(fd, `${what}, not one of the domain ${domain}`, "EAFNOSUPPORT")

const whyNotListening =
  (fd: number) =>
  (error: unknown): ListenReason =>
    error instanceof Reason.BadFile ? error : (unusable(fd, error) ?? Errno.listenReason(error))

const unusable = (fd: number, error: unknown): Reason.BadFile | Reason.AlreadyListened | undefined => {
  const errno = Errno.codeOf(error)
  switch (errno) {
    case "EEXIST":
      return new Reason.AlreadyListened({ detail: `descriptor ${fd} is in use already`, errno, cause: error })
    case "EINVAL":
    case "ENOTSOCK":
    case "EBADF":
    case "EOPNOTSUPP":
    case "ERR_INVALID_FD_TYPE":
      return new Reason.BadFile({
        detail: `descriptor ${fd} is not a stream socket, or cannot listen`,
        errno,
        cause: error
      })
    default:
      return undefined
  }
}

// --- connecting -----------------------------------------------------------------------------------------

/** Takes over a connected socket; the scope's end closes it. */
export const connect = Effect.fn("NodeReactor.connectDescriptor")(
  (site: NodeSite, endpoint: Endpoint.FdClient): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const made = open(site, endpoint)
        return made instanceof NodeTransport
          ? Effect.succeed(made)
          : Effect.fail(new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason: made }))
      }),
      (transport) => transport.close
    )
)

const open = (site: NodeSite, endpoint: Endpoint.FdClient): NodeTransport | ConnectReason => {
  const { fd } = endpoint
  const invalid = invalidStream(endpoint)
  if (invalid !== undefined) return invalid
  if (inUse.has(fd)) return busy(fd)
  const inspected = SocketTable.inspect(fd)
  if (!("stats" in inspected)) return inspected
  const { facts } = inspected
  if (facts !== undefined && facts.state !== "Connected") {
    return SocketTable.notOfUse(fd, SocketTable.describe(facts), "ENOTCONN")
  }
  return adopt(site, endpoint, fd, unixAddress(facts))
}

/** A transport over a connected socket. */
export const adopt = (
  site: Pick<NodeSite, "turn">,
  options: Endpoint.StreamOptions,
  fd: number,
  unixName: NetAddress.SocketAddress,
  onClosed: () => void = () => {}
): NodeTransport | ConnectReason => {
  let socket: net.Socket
  try {
    socket = new net.Socket({ ...socketOptions(options), fd })
  } catch (error) {
    const reason = unusable(fd, error)
    return reason?._tag === "AlreadyListened" ? busy(fd) : (reason ?? Errno.connectReason(error))
  }
  const isUnix = !("port" in socket.address())
  if (!isUnix && socket.remotePort === undefined) {
    socket.on("error", () => {})
    socket.destroy()
    return SocketTable.notOfUse(fd, "a socket that is not connected", "ENOTCONN")
  }
  takeOver(fd)
  socket.once("close", () => {
    giveUp(fd)
    onClosed()
  })
  tuneSocket(socket, options)
  return new NodeTransport(
    socket,
    { turn: site.turn, limits: limitsOf(options), secure },
    isUnix ? { local: unixName, peer: NetAddress.unixPathAddress("") } : new NodeAddress.TcpEnds(socket)
  )
}

const busy = (fd: number) =>
  new Reason.BindFailed({ detail: `descriptor ${fd} is in use already`, errno: "EEXIST" })

const unixAddress = (facts: SocketTable.SocketFacts | undefined): NetAddress.SocketAddress =>
  NetAddress.unixPathAddress(facts?.name ?? "")
