/** Standard input and output as a connection: for programs started by inetd, ssh and their kind, and in pipelines. */
import { isMainThread } from "node:worker_threads"
import type * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ConnectError, ListenError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { StreamListener } from "../reactor/StreamListener.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as NodeDescriptor from "./NodeDescriptor.ts"
import type { NodeSite } from "./NodeSite.ts"
import { secure } from "./NodeStartTls.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import * as SocketTable from "./SocketTable.ts"
import { vacate } from "./standardDescriptors.ts"
import { type Descriptors, StdioStream } from "./StdioStream.ts"
import { limitsOf } from "./streamSettings.ts"

/** There is one standard input and output in a process, and it is taken for good. */
let isTaken = false

/** The one connection of a server. The listener stays open until it is stopped, and accepts nothing more. */
export const listen = Effect.fn("NodeReactor.listenStdio")(
  (site: NodeSite, endpoint: Endpoint.StdioServer): Effect.Effect<Listener, ListenError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const description = EndpointFormat.format(endpoint)
        const refuse = (reason: ListenError["reason"]) =>
          Effect.fail(new ListenError({ endpoint: description, reason }))
        if (isTaken) return refuse(new Reason.AlreadyListened({ detail: taken }))
        const made = open(site, endpoint)
        return made instanceof NodeTransport
          ? Effect.succeed(new StdioListener(description, made))
          : refuse(made)
      }),
      (listener) => listener.stop
    )
)

/** The connection of a client; the scope's end closes it. */
export const connect = Effect.fn("NodeReactor.connectStdio")(
  (site: NodeSite, endpoint: Endpoint.StdioClient): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const made = isTaken
          ? new Reason.BindFailed({ detail: taken, errno: "EEXIST" })
          : open(site, endpoint)
        return made instanceof NodeTransport
          ? Effect.succeed(made)
          : Effect.fail(new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason: made }))
      }),
      (transport) => transport.close
    )
)

const taken = "standard input and output were taken before; a process has them once"

class StdioListener extends StreamListener<NodeTransport> {
  readonly address: NetAddress.SocketAddress

  constructor(endpoint: string, transport: NodeTransport) {
    super({ endpoint, waitingMax: 1 })
    this.address = transport.local
    this.deliver(transport)
  }

  protected discard(transport: NodeTransport): void {
    transport.discard()
  }

  protected release(): Effect.Effect<void> {
    return Effect.void
  }
}

// --- the descriptors ------------------------------------------------------------------------------------

/** What it needs of a reactor. */
type Site = Pick<NodeSite, "turn">

/** Why it cannot be: reasons of a listener and of a client alike. */
type Problem = Reason.BadFile | Reason.InvalidAddress | Reason.Unsupported | Reason.Unknown

const open = (site: Site, options: Endpoint.StreamOptions): NodeTransport | Problem => {
  if (!isMainThread) {
    return new Reason.Unsupported({ detail: "standard input and output are those of the main thread" })
  }
  const made = openSame(site, options) ?? openBoth(site, options, { input: 0, output: 1 })
  if (made instanceof NodeTransport) isTaken = true
  return made
}

/** Both are one socket, as inetd and systemd pass it: then it is that, half-close, TLS and all. */
const openSame = (site: Site, options: Endpoint.StreamOptions): NodeTransport | Problem | undefined => {
  const inspected = SocketTable.inspect(0)
  if (!("stats" in inspected) || !isSame(0, 1)) return undefined
  const { facts } = inspected
  if (facts !== undefined && facts.state !== "Connected") {
    return SocketTable.notOfUse(0, SocketTable.describe(facts), "ENOTCONN")
  }
  // It is closed when nobody has it open any more, standard error included.
  const others = [1, 2].filter((fd) => isSame(0, fd))
  const made = NodeDescriptor.adopt(site, options, 0, named, () => others.forEach(vacate))
  if (made instanceof NodeTransport) return made
  return made._tag === "BadFile" || made._tag === "InvalidAddress"
    ? made
    : new Reason.Unknown({ detail: made.detail, errno: made.errno, cause: made })
}

const isSame = (a: number, b: number): boolean => {
  const [one, other] = [SocketTable.statsOf(a), SocketTable.statsOf(b)]
  return "ino" in one && "ino" in other && one.dev === other.dev && one.ino === other.ino
}

/** A transport that reads the one and writes the other; takes both over. Not only of standard input and output. */
export const openBoth = (
  site: Site,
  options: Endpoint.StreamOptions,
  descriptors: Descriptors
): NodeTransport | Problem => {
  const problem = problemOf(descriptors.input) ?? problemOf(descriptors.output)
  if (problem !== undefined) return problem
  const limits = limitsOf(options)
  try {
    const stream = new StdioStream(descriptors, limits.sendBytesMax)
    return new StdioTransport(stream, { turn: site.turn, limits, secure })
  } catch (error) {
    const fields = { detail: "the descriptors are no streams", errno: Errno.codeOf(error), cause: error }
    return new Reason.BadFile(fields)
  }
}

const problemOf = (fd: number): Problem | undefined => {
  const stats = SocketTable.statsOf(fd)
  if (!("ino" in stats)) return stats
  if (stats.isDirectory()) return SocketTable.notOfUse(fd, "a directory", "EISDIR")
  if (!stats.isSocket()) return undefined
  const inspected = SocketTable.inspect(fd)
  if (!("stats" in inspected)) return inspected
  return inspected.facts === undefined || inspected.facts.state === "Connected"
    ? undefined
    : SocketTable.notOfUse(fd, SocketTable.describe(inspected.facts), "ENOTCONN")
}

/** What nothing else names. */
const named = NetAddress.unixPathAddress("stdio")

class StdioTransport extends NodeTransport {
  private readonly stream: StdioStream

  constructor(stream: StdioStream, shared: Shared) {
    // Of a `net.Socket` it has all that a transport uses of one that is not TCP.
    super(stream as unknown as net.Socket, shared, { local: named, peer: named })
    this.stream = stream
  }

  /** Input that is left unread spoils no output here: there is nothing to linger for. */
  protected override closeOutput(): void {
    const { stream } = this
    if (stream.destroyed) return
    const timer = setTimeout(() => this.resetNow(), this.shared.limits.closing.millis)
    stream.once("close", () => clearTimeout(timer))
    stream.resume()
    stream.end(() => stream.destroy())
  }
}
