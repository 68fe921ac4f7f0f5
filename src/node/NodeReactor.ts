/**
 * The Node platform: TCP, UNIX sockets and TLS by `node:net` and `node:tls`, datagrams by `node:dgram`. It
 * holds no global state: any number of reactors live side by side.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Reactor } from "../reactor/Reactor.ts"
import { Turn } from "../reactor/Turn.ts"
import { connect } from "./NodeConnect.ts"
import { datagram } from "./NodeDatagram.ts"
import { listen } from "./NodeListen.ts"
import { resolve } from "./NodeResolve.ts"

export const make: Effect.Effect<Reactor["Service"]> = Effect.sync(() => {
  const turn = new Turn(process.nextTick)
  const reactor: Reactor["Service"] = Reactor.of({
    listen: (endpoint) =>
      endpoint._tag === "CustomServer"
        ? Effect.provideService(endpoint.listen, Reactor, reactor)
        : listen(turn, endpoint),
    connect: (endpoint) =>
      endpoint._tag === "CustomClient"
        ? Effect.provideService(endpoint.connect, Reactor, reactor)
        : connect(turn, endpoint),
    datagram,
    resolve
  })
  return reactor
})

/** The Node reactor. */
export const layer: Layer.Layer<Reactor> = Layer.effect(Reactor, make)
