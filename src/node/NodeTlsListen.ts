/** Listening on TLS over TCP. */
import * as net from "node:net"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, type ListenReason, type TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { until, type Waiters } from "../reactor/Waiters.ts"
import type * as Tls from "../reactor/Tls.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import { acceptedEnds, addressOf, backlogOf, inetListenOptions } from "./listening.ts"
import { DeadlineQueue } from "./DeadlineQueue.ts"
import { NodeListener, type NodeListenerOptions } from "./NodeListener.ts"
import * as NodeBinding from "./NodeBinding.ts"
import type { NodeSite } from "./NodeSite.ts"
import { secure } from "./NodeStartTls.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTlsAcceptor } from "./NodeTlsAcceptor.ts"
import { type Blame, NodeTlsHandshake, type Run } from "./NodeTlsHandshake.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import * as ServerSocket from "./ServerSocket.ts"
import {
  type KeepAlive,
  invalidPort,
  invalidStream,
  isPort,
  keepAliveOf,
  keepSocketAlive,
  limitsOf,
  socketOptions
} from "./streamSettings.ts"

const handshakesMaxDefault = 1_024
/** Milliseconds that a handshake may last before it has to make room for another. */
const handshakePatience = 1_000

/** Opens the port; the scope's end stops it. */
export const listen = Effect.fn("NodeReactor.listenTls")(function* (
  site: NodeSite,
  endpoint: Endpoint.TlsServer
): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
  const description = EndpointFormat.format(endpoint)
  const fail = (reason: ListenReason) => new ListenError({ endpoint: description, reason })
  const failures = yield* AcceptFailures.make(description)
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const invalid = isPort(endpoint.port) ? invalidStream(endpoint) : invalidPort(endpoint.port)
  if (invalid !== undefined) return yield* fail(invalid)
  yield* Effect.mapError(usable(endpoint.tls), fail)
  const acceptor = NodeTlsAcceptor.of(endpoint.tls)
  const handshakes = new Handshakes(site, endpoint, acceptor, run)
  const listener = yield* ServerSocket.acquire(
    site.listeners,
    NodeBinding.of(endpoint),
    (socket) => Effect.mapError(open(endpoint, handshakes, failures, socket), fail),
    fail
  )
  yield* acceptor.reloads(description)
  return listener
})

/** What can be known to be wrong is said now, not to each client: a source, or a directory, must have something usable. */
export const usable = (options: Tls.ServerOptions): Effect.Effect<void, ListenReason> => {
  const acceptor = NodeTlsAcceptor.of(options)
  const { identity } = options
  const changes = "identities" in identity || "directory" in identity
  return Effect.timeoutOrElse(Effect.exit(acceptor.identities), {
    duration: NodeTls.handshakeMillis(options),
    orElse: () => Effect.exit(Effect.fail(new Error("the source of identities did not answer")))
  }).pipe(
    Effect.flatten,
    Effect.flatMap((identities) =>
      Effect.try({
        try: () => {
          if (identities.length === 0) throw new Error("there is no identity to show")
          // Those of a source are many perhaps, and change.
          for (const each of changes ? identities.slice(0, 1) : identities) {
            acceptor.prepare(each)
          }
        },
        catch: (error) => error
      })
    ),
    Effect.catchCause((cause) => Effect.fail(NodeTls.optionsError(Cause.squash(cause))))
  )
}

const open = (
  endpoint: Endpoint.TlsServer,
  handshakes: Handshakes,
  failures: AcceptFailures,
  socket: ServerSocket.ServerSocket
) =>
  Effect.callback<NodeListener, ListenReason>((resume) => {
    const refuse = (error: unknown) => resume(Effect.fail(Errno.listenReason(error)))
    const server = net.createServer(socketOptions(endpoint), (accepted) => handshakes.begin(accepted))
    const onOpen = () => {
      server.off("error", refuse)
      server.on("connection", () => failures.accepted())
      server.on("error", failures.report)
      const shut = () => {
        failures.stop()
        socket.closed()
      }
      const options: NodeListenerOptions = {
        endpoint: handshakes.description,
        address: socket.address ?? addressOf(server),
        waitingMax: backlogOf(endpoint),
        obstacle: "its connections are TLS, and would be plain there",
        onStop: () => {
          shut()
          handshakes.stop()
        }
      }
      const listener = new TlsListener(server, options, () => {
        server.close()
        shut()
        return handshakes.settled
      })
      handshakes.listener = listener
      resume(Effect.succeed(listener))
    }
    server.once("error", refuse)
    socket.isBusy = () => handshakes.isBusy
    try {
      socket.start(server, {
        bind: () => server.listen(inetListenOptions(endpoint)),
        backlog: backlogOf(endpoint),
        onOpen
      })
    } catch (error) {
      refuse(error)
    }
  })

class TlsListener extends NodeListener {
  private readonly finish: () => Effect.Effect<void>

  /** `finish` closes the port, and gives what waits for the handshakes under way. */
  constructor(server: net.Server, options: NodeListenerOptions, finish: () => Effect.Effect<void>) {
    super(server, options)
    this.finish = finish
  }

  protected override awaitPrepared(): Effect.Effect<void> {
    return this.finish()
  }
}

/** The handshakes under way at a port. */
class Handshakes {
  listener: NodeListener | undefined = undefined
  readonly description: string
  private readonly shared: Shared
  private readonly acceptor: NodeTlsAcceptor
  private readonly run: Run
  private readonly max: number
  private readonly keepAlive: KeepAlive | undefined
  /** All that are under way: a handshake leaves when it is settled. */
  private readonly pending: DeadlineQueue<NodeTlsHandshake>
  private settledWaiters: Waiters<void, never> = undefined

  constructor(site: NodeSite, endpoint: Endpoint.TlsServer, acceptor: NodeTlsAcceptor, run: Run) {
    this.description = EndpointFormat.format(endpoint)
    this.shared = { turn: site.turn, limits: limitsOf(endpoint), secure }
    this.acceptor = acceptor
    this.run = run
    this.keepAlive = keepAliveOf(endpoint)
    this.pending = new DeadlineQueue(NodeTls.handshakeMillis(endpoint.tls))
    this.max = endpoint.tls.handshakesMax ?? handshakesMaxDefault
  }

  begin(socket: net.Socket): void {
    if (this.pending.size >= this.max && !this.makeRoom()) {
      socket.destroy()
      return this.tell(socket.remoteAddress, tooMany(), "Remote")
    }
    if (this.keepAlive !== undefined) keepSocketAlive(socket, this.keepAlive)
    const listener = this.listener!
    const ends = acceptedEnds(socket, listener.address)
    const handshake = new NodeTlsHandshake(this.acceptor, socket, {
      deadlines: this.pending,
      run: this.run,
      transport: (secured) =>
        new NodeTransport(secured, this.shared, ends, NodeTls.security(secured), socket),
      onDone: (transport) => {
        listener.accepted(transport)
        this.tellSettled()
      },
      onFailed: (reason, blame) => {
        this.tell(NetAddress.formatSocketAddress(ends.peer), reason, blame)
        this.tellSettled()
      }
    })
    handshake.start()
  }

  get isBusy(): boolean {
    return this.pending.size > 0
  }

  /** Waits until none is under way. */
  get settled(): Effect.Effect<void> {
    return until(
      () => (this.isBusy ? undefined : Exit.void),
      () => (this.settledWaiters ??= new Set())
    )
  }

  private tellSettled(): void {
    const waiters = this.settledWaiters
    if (waiters === undefined || this.isBusy) return
    this.settledWaiters = undefined
    for (const resume of waiters) resume(Exit.void)
  }

  /**
   * Whoever only holds a place, and never goes on, makes room: it does not keep others out for the whole of
   * `handshakeTimeout`. In a rush of honest clients nobody has lasted that long, and those who came first are served.
   */
  private makeRoom(): boolean {
    const { oldest } = this.pending
    if (oldest === undefined || performance.now() - oldest.since < handshakePatience) return false
    oldest.owner.giveWay(tooMany())
    return true
  }

  stop(): void {
    for (const handshake of this.pending.endAll()) handshake.cancel()
    this.tellSettled()
  }

  /** What peers do is for those who look for it; what hooks do is not as it should be. */
  private tell(peer: string | undefined, reason: TransportReason, blame: Blame): void {
    const { cause, errno, _tag } = reason
    const message = `a TLS handshake failed: ${reason.message}`
    const log =
      blame === "Local"
        ? Effect.logWarning(message, ...(cause === undefined ? [] : [cause]))
        : Effect.logDebug(message)
    const about = { endpoint: this.description, peer, reason: _tag }
    this.run(Effect.annotateLogs(log, errno === undefined ? about : { ...about, errno }))
  }
}

const tooMany = () => new Reason.ResourceExhausted({ detail: "too many handshakes are under way" })
