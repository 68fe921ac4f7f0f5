/** What our servers have in common: the protocol is served as an application would serve it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { NodeReactor } from "spindle/node"
import { type Protocol, Server } from "spindle/protocol"
import { Endpoint, type Reactor, type Transport } from "spindle/reactor"
import { backlog, port, ready } from "./harness.ts"

const tcp = Endpoint.tcp({ port, interface: "127.0.0.1", backlog })

/** Serves the protocol that `make` gives on `endpoint`, and tells the harness where. */
export const serveWith = <E, R>(
  make: Effect.Effect<Protocol.Protocol<Transport.Transport, E, Reactor.Reactor | R>, never, R>,
  services: Layer.Layer<R>,
  endpoint: Endpoint.Server = tcp
): void => {
  const start = Effect.gen(function* () {
    const server = yield* Server.make(endpoint, yield* make)
    if (NetAddress.isInetAddress(server.address)) ready(server.address.port)
  })
  Effect.runFork(
    Layer.launch(Layer.effectDiscard(start).pipe(Layer.provide([NodeReactor.layer, services]))).pipe(
      // The first line of stdout is the harness's.
      Effect.provideService(References.MinimumLogLevel, "Warn")
    )
  )
}

export const serveOn = <E>(
  endpoint: Endpoint.Server,
  protocol: Protocol.Protocol<Transport.Transport, E, Reactor.Reactor>
): void => serveWith(Effect.succeed(protocol), Layer.empty, endpoint)

export const serve = <E>(protocol: Protocol.Protocol<Transport.Transport, E, Reactor.Reactor>): void =>
  serveOn(tcp, protocol)
