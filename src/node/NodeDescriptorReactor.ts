/**
 * The Node reactor, with UNIX sockets that carry descriptors: `DescriptorTransport.carrierOf` finds them. Twisted: `IUNIXTransport`.
 *
 * It rests on the experimental `node:ffi` (Linux, 64 bits, the main thread). Where that cannot be had, listening on and connecting to a
 * UNIX socket fails as `Unsupported`. All other endpoints are those of the Node reactor.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import type { Listener } from "../reactor/Listener.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { ConnectError, type ConnectReason, ListenError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { StreamListener } from "../reactor/StreamListener.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Turn } from "../reactor/Turn.ts"
import type * as NodeAddress from "./NodeAddress.ts"
import * as NodeDescriptorLibc from "./NodeDescriptorLibc.ts"
import { NodeDescriptorStream } from "./NodeDescriptorStream.ts"
import { dial } from "./NodeDial.ts"
import * as NodeReactor from "./NodeReactor.ts"
import { type NodeLimits, NodeTransport } from "./NodeTransport.ts"
import { backlogOf } from "./listening.ts"
import { limitsOf, socketOptions } from "./streamSettings.ts"
import { unixError } from "./unixError.ts"
import * as UnixLock from "./UnixLock.ts"

const timeoutDefault = "30 seconds"

const unsupported = (cause: unknown): Reason.Unsupported =>
  new Reason.Unsupported({
    detail: `descriptors cannot be passed: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })

export const makeWith = (options: NodeReactor.Options): Effect.Effect<Reactor["Service"]> =>
  Effect.map(NodeReactor.makeWith(options), (node) => {
    const turn = new Turn(process.nextTick)
    return Reactor.of({
      ...node,
      listen: (endpoint) =>
        endpoint._tag === "UnixServer" ? listen(node, turn, endpoint) : node.listen(endpoint),
      connect: (endpoint) =>
        endpoint._tag === "UnixClient" ? connect(turn, endpoint) : node.connect(endpoint)
    })
  })

export const layerWith = (options: NodeReactor.Options): Layer.Layer<Reactor> =>
  Layer.effect(Reactor, makeWith(options))

export const layer: Layer.Layer<Reactor> = layerWith({})

interface Carried {
  /** Whose descriptor it is, as Node has it. */
  readonly socket: NodeTransport["carrier"]
  readonly libc: NodeDescriptorLibc.NodeDescriptorLibc
  readonly turn: Turn
  readonly limits: NodeLimits
  readonly ends: NodeAddress.Ends
}

/**
 * In the event in which the socket was made, before anything is read of it: ours is a copy of the descriptor, so that libuv, which knows
 * the original, has nothing to do with it.
 */
const adopt = ({ ends, libc, limits, socket, turn }: Carried): NodeDescriptorStream => {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
  const copy = libc.duplicate(fd)
  if (copy < 0) throw new Error("no descriptor is left")
  try {
    const stream = new NodeDescriptorStream(copy, libc, turn, limits, ends)
    socket.destroy()
    return stream
  } catch (error) {
    libc.close(copy)
    throw error
  }
}

const listen = (
  node: Reactor["Service"],
  turn: Turn,
  endpoint: Endpoint.UnixServer
): Effect.Effect<Listener, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const libc = yield* Effect.try({
      try: NodeDescriptorLibc.load,
      catch: (cause) =>
        new ListenError({ endpoint: EndpointFormat.format(endpoint), reason: unsupported(cause) })
    })
    const limits = limitsOf(endpoint)
    const inner = yield* node.listen(endpoint)
    const listener = yield* Effect.acquireRelease(
      Effect.sync(() => new Listening(inner, endpoint)),
      (listener) => listener.stop
    )
    // From now on, and whoever accepts: what was read before would have lost its descriptors.
    yield* Effect.forkScoped(
      inner.acceptEach((transport) => {
        if (!(transport instanceof NodeTransport)) return
        try {
          const { carrier: socket, ends } = transport
          listener.take(adopt({ socket, libc, turn, limits, ends }))
        } catch {
          // As when a connection cannot be accepted for want of descriptors: it is dropped.
          transport.discard()
        }
      }),
      { startImmediately: true }
    )
    return listener
  })

class Listening extends StreamListener<NodeDescriptorStream> {
  readonly address: NetAddress.SocketAddress
  private readonly inner: Listener

  constructor(inner: Listener, endpoint: Endpoint.UnixServer) {
    super({ endpoint: EndpointFormat.format(endpoint), waitingMax: backlogOf(endpoint) })
    this.inner = inner
    this.address = inner.address
  }

  take(stream: NodeDescriptorStream): void {
    this.deliver(stream)
  }

  protected release(): Effect.Effect<void> {
    return this.inner.stop
  }

  protected discard(stream: NodeDescriptorStream): void {
    stream.discard()
  }
}

const connect = (
  turn: Turn,
  endpoint: Endpoint.UnixClient
): Effect.Effect<Transport, ConnectError, Scope.Scope> => {
  const fail = (reason: ConnectReason) =>
    new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason })
  let made: NodeDescriptorStream | undefined
  const open = Effect.suspend(() => {
    const unlocked = endpoint.lock === true ? UnixLock.notHeld(endpoint.path) : undefined
    if (unlocked !== undefined) return Effect.fail(unlocked)
    const ends = { local: NetAddress.unixPathAddress(""), peer: NetAddress.unixPathAddress(endpoint.path) }
    return Effect.flatMap(
      Effect.try({ try: NodeDescriptorLibc.load, catch: (cause): ConnectReason => unsupported(cause) }),
      (libc) =>
        dial({
          place: { path: endpoint.path, ...socketOptions(endpoint) },
          turn,
          take: (socket) => {
            made = adopt({ socket, libc, turn, limits: limitsOf(endpoint), ends })
            return made
          },
          reasonOf: (error) => Errno.connectReason(unixError(endpoint.path, error))
        })
    )
  })
  return Effect.uninterruptibleMask((restore) =>
    restore(
      Effect.timeoutOrElse(open, {
        duration: endpoint.timeout ?? timeoutDefault,
        orElse: () => Effect.fail(new Reason.TimedOut({ detail: "no answer in time", errno: "ETIMEDOUT" }))
      })
    ).pipe(
      // An attempt may be given up in the turn it succeeds.
      Effect.onError(() => Effect.suspend(() => made?.close ?? Effect.void)),
      Effect.mapError(fail),
      Effect.flatMap((stream) =>
        Effect.flatMap(Effect.scope, (scope) =>
          Effect.as(Scope.addFinalizer(scope, stream.close), stream as Transport)
        )
      )
    )
  )
}
