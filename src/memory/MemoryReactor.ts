/**
 * A network inside the process: streams, UNIX names, datagrams and a stand-in for TLS, without a socket, a
 * timer or a promise. The same contract as `NodeReactor`, deterministic under Effect's `TestClock` and scheduler.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ComposedEndpoint from "../reactor/ComposedEndpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { ConnectError, ListenError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { connect } from "./MemoryConnect.ts"
import { datagram } from "./MemoryDatagram.ts"
import type { MemoryHost } from "./MemoryHost.ts"
import { listen } from "./MemoryListen.ts"
import { MemoryLoop } from "./MemoryLoop.ts"
import { MemoryNetwork, type Options } from "./MemoryNetwork.ts"
import { type MemorySite, resolve } from "./MemorySite.ts"

const theHost = "localhost"

/** A reactor on a network of its own, with one host that has every name and address of `hosts`, and loopback. */
export const make = (options: Options = {}): Effect.Effect<Reactor["Service"]> =>
  Effect.suspend(() => {
    const network = new MemoryNetwork(options, theHost)
    return on(network, network.host(theHost))
  })

/**
 * A reactor on a host of a shared network: one of its `hosts`, or any other name, which then gets an address.
 * Several reactors may run on one host: they share its ports.
 */
export const makeOn = (network: MemoryNetwork, host = theHost): Effect.Effect<Reactor["Service"]> =>
  Effect.suspend(() => on(network, network.host(host)))

/** `make` as a layer: each build is a network of its own. */
export const layer = (options?: Options): Layer.Layer<Reactor> => Layer.effect(Reactor, make(options))

/** `makeOn` as a layer. */
export const layerOn = (network: MemoryNetwork, host?: string): Layer.Layer<Reactor> =>
  Layer.effect(Reactor, makeOn(network, host))

const on = (network: MemoryNetwork, host: MemoryHost): Effect.Effect<Reactor["Service"]> =>
  Effect.map(MemoryLoop.make(network.activity), (loop) => {
    const site: MemorySite = { network, host, loop }
    const reactor: Reactor["Service"] = Reactor.of({
      listen: (endpoint) => {
        switch (endpoint._tag) {
          case "TcpServer":
          case "TlsServer":
          case "UnixServer":
            return listen(site, endpoint)
          case "FdServer":
          case "SystemdServer":
          case "StdioServer":
            return Effect.fail(
              new ListenError({ endpoint: EndpointFormat.format(endpoint), reason: noDescriptors() })
            )
          default:
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
          case "StdioClient":
            return Effect.fail(
              new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason: noDescriptors() })
            )
          default:
            return ComposedEndpoint.connect(reactor, endpoint)
        }
      },
      datagram: (endpoint) => datagram(site, endpoint),
      resolve: resolve(site)
    })
    return reactor
  })

const noDescriptors = () => new Reason.Unsupported({ detail: "a network in memory has no file descriptors" })
