/**
 * The Node platform: TCP, UNIX sockets and TLS by `node:net` and `node:tls`, datagrams by `node:dgram`. It
 * holds no global state: any number of reactors live side by side.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AddressResolver } from "effect/net/AddressResolver"
import * as ComposedEndpoint from "../reactor/ComposedEndpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { ListenError } from "../reactor/ReactorError.ts"
import * as Resolver from "../reactor/Resolver.ts"
import { Turn } from "../reactor/Turn.ts"
import { connect } from "./NodeConnect.ts"
import { datagram } from "./NodeDatagram.ts"
import { NodeDatagramAccelerator } from "./NodeDatagramAccelerator.ts"
import * as NodeDescriptor from "./NodeDescriptor.ts"
import { listen } from "./NodeListen.ts"
import * as NodeListeners from "./NodeListeners.ts"
import * as NodeResolve from "./NodeResolve.ts"
import type { NodeSite } from "./NodeSite.ts"
import * as NodeStdio from "./NodeStdio.ts"
import { NodeTlsAcceptor } from "./NodeTlsAcceptor.ts"
import * as NodeTlsListen from "./NodeTlsListen.ts"
import { NodeTlsSessions } from "./NodeTlsSessions.ts"

export interface Options {
  /**
   * Who knows names, for all that the reactor does. Default: the system (`NodeResolve.make()`). Twisted:
   * `reactor.installNameResolver`.
   */
  readonly resolver?: Resolver.Resolver | undefined
  /**
   * Datagrams in batches by `recvmmsg` and `sendmmsg`, by way of the experimental `node:ffi` (Linux, 64 bits): about 1.6 times as many
   * where there are many. Where it cannot be had, a line is logged and they go without. Default `false`.
   */
  readonly datagramAccelerator?: boolean | undefined
  /**
   * Where listening sockets come from, and who knows which are open: for programs that hand them from process to process
   * (`NodeHeir`, `NodeSuccession`, `NodeWorkers`). Default: the reactor binds all of them itself.
   */
  readonly listeners?: NodeListeners.NodeListeners | undefined
}

export const makeWith = (options: Options): Effect.Effect<Reactor["Service"]> =>
  Effect.gen(function* () {
    const accelerator = options.datagramAccelerator === true ? yield* NodeDatagramAccelerator.make : undefined
    const site: NodeSite = {
      turn: new Turn(process.nextTick),
      resolver: options.resolver ?? NodeResolve.make(),
      sessions: new NodeTlsSessions(),
      listeners: options.listeners ?? NodeListeners.make()
    }
    const { countComposed } = site.listeners
    const composed = (endpoint: ComposedEndpoint.Server) =>
      Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => countComposed(1)),
          () => Effect.sync(() => countComposed(-1))
        ),
        ComposedEndpoint.listen(reactor, endpoint)
      )
    const reactor: Reactor["Service"] = Reactor.of({
      listen: (endpoint) => {
        switch (endpoint._tag) {
          case "TcpServer":
          case "UnixServer":
            return listen(site, endpoint)
          case "TlsServer":
            return NodeTlsListen.listen(site, endpoint)
          case "FdServer":
          case "SystemdServer":
            return NodeDescriptor.listen(site, endpoint)
          case "StdioServer":
            return NodeStdio.listen(site, endpoint)
          case "SecuredServer":
            return Effect.andThen(
              Effect.mapError(
                NodeTlsListen.usable(endpoint.tls),
                (reason) => new ListenError({ endpoint: EndpointFormat.format(endpoint), reason })
              ),
              Effect.tap(composed(endpoint), () =>
                NodeTlsAcceptor.of(endpoint.tls).reloads(EndpointFormat.format(endpoint))
              )
            )
          case "ProxiedServer":
            return composed(endpoint)
          // It has no socket of ours, or one that is counted as what it is.
          case "CustomServer":
            return ComposedEndpoint.listen(reactor, endpoint)
        }
      },
      connect: (endpoint) => {
        switch (endpoint._tag) {
          case "TcpClient":
          case "TlsClient":
          case "UnixClient":
            return connect(site, endpoint)
          case "FdClient":
            return NodeDescriptor.connect(site, endpoint)
          case "StdioClient":
            return NodeStdio.connect(site, endpoint)
          default:
            return ComposedEndpoint.connect(reactor, endpoint)
        }
      },
      datagram: (endpoint) => datagram(endpoint, site.resolver, accelerator, site.listeners),
      resolve: (name, options) => Resolver.resolve(site.resolver, name, options)
    })
    return reactor
  })

export const make: Effect.Effect<Reactor["Service"]> = makeWith({})

/** The Node reactor. */
export const layer: Layer.Layer<Reactor> = Layer.effect(Reactor, make)

/** The Node reactor, with options. */
export const layerWith = (options: Options): Layer.Layer<Reactor> => Layer.effect(Reactor, makeWith(options))

/**
 * The Node reactor with its names from Effect's `AddressResolver`, and so from any `Dns`, by way of
 * `AddressResolver.layer()`.
 */
export const layerResolver: Layer.Layer<Reactor, never, AddressResolver> = Layer.effect(
  Reactor,
  Effect.flatMap(AddressResolver, (resolver) =>
    makeWith({ resolver: Resolver.fromAddressResolver(resolver) })
  )
)
