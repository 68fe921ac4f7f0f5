import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Endpoint from "../../reactor/Endpoint.ts"
import { visible } from "../../reactor/EndpointExcerpt.ts"
import { Reactor } from "../../reactor/Reactor.ts"
import { ConnectError } from "../../reactor/ReactorError.ts"
import { scopedParallel } from "./Case.ts"
import { takeText } from "./bytes.ts"
import { equal, failureOf, listenFails, that, turns } from "./check.ts"
import { accepting, connecting, reactorCase, type ReactorSubject } from "./ReactorCase.ts"

const fork = { startImmediately: true } as const

/** Opening a port, stopping, and what stays. */
export const listeningCases = [
  reactorCase(
    "a listener on port 0 has a real port",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const first = yield* reactor.listen(yield* subject.server())
      const second = yield* reactor.listen(yield* subject.server())
      that(NetAddress.isInetAddress(first.address), "the address has no port")
      that(NetAddress.isInetAddress(second.address), "the address has no port")
      that(first.address.port > 0, "the port is 0")
      that(first.address.port !== second.address.port, "two listeners have the same port")
    }),
    "onPort"
  ),

  reactorCase(
    "stop refuses new connections and keeps the accepted ones",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const { transport: client } = yield* connecting(subject.client(listener.address))
      const server = yield* accepted
      yield* listener.stop
      const error = yield* failureOf(connecting(subject.client(listener.address)), "connecting after stop")
      that(error instanceof ConnectError, `expected a ConnectError, got ${String(error)}`)
      yield* client.send("still there?")
      equal(yield* takeText(server, 12), "still there?", "what the server received after stop")
      yield* server.send("yes")
      equal(yield* takeText(client, 3), "yes", "what the client received after stop")
    })
  ),

  reactorCase(
    "stop is idempotent, and ends acceptEach",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const loop = yield* Effect.forkChild(
        listener.acceptEach(() => {}),
        fork
      )
      yield* listener.stop
      yield* listenFails(Fiber.join(loop), "NotListening", "the running acceptEach")
      yield* listener.stop
      yield* listenFails(
        listener.acceptEach(() => {}),
        "NotListening",
        "acceptEach after stop"
      )
    })
  ),

  reactorCase(
    "the end of the listener's scope stops it; its connections live on",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const scope = yield* Scope.fork(yield* Effect.scope)
      const listener = yield* Scope.provide(reactor.listen(yield* subject.server()), scope)
      const { accepted } = yield* accepting(listener)
      const { transport: client } = yield* connecting(subject.client(listener.address))
      const server = yield* accepted
      yield* Scope.close(scope, Exit.void)
      yield* failureOf(connecting(subject.client(listener.address)), "connecting after the scope's end")
      yield* listenFails(
        listener.acceptEach(() => {}),
        "NotListening",
        "acceptEach after the scope's end"
      )
      yield* client.send("still there?")
      equal(yield* takeText(server, 12), "still there?", "what the server received")
    })
  ),

  reactorCase(
    "one address has one listener; after stop it is free again",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const again = Effect.scoped(reactor.listen(subject.serverAt(listener.address)))
      const error = yield* listenFails(again, "AddressInUse", "listening twice")
      equal(error.reason.fault, "Local", "whose fault it is")
      that(
        error.endpoint.length > 0 && error.message.includes(visible(error.endpoint)),
        "the message names no endpoint"
      )
      const caught = yield* again.pipe(
        Effect.as("listening"),
        Effect.catchReason("ListenError", "AddressInUse", () => Effect.succeed("in use"))
      )
      equal(caught, "in use", "what catchReason gave")
      yield* listener.stop
      yield* again
      yield* again
    })
  ),

  reactorCase(
    "a port that cannot be is an invalid address",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      yield* listenFails(reactor.listen(subject.onPort!("127.0.0.1", 70_000)), "InvalidAddress", "port 70000")
    }),
    "onPort"
  ),

  reactorCase(
    "an address of another machine is not available",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      // RFC 5737 §3: for documentation, nobody has it.
      const listen = reactor.listen(subject.onPort!("192.0.2.1", 0))
      yield* listenFails(listen, "AddressNotAvailable", "192.0.2.1")
    }),
    "onPort"
  ),

  reactorCase(
    "listening that is given up leaves the address free",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      yield* listener.stop
      const endpoint = subject.serverAt(listener.address)
      for (let i = 0; i < 4; i++) {
        const fiber = yield* Effect.forkChild(Effect.scoped(reactor.listen(endpoint)), fork)
        yield* turns(i)
        yield* Fiber.interrupt(fiber)
      }
      yield* Effect.scoped(reactor.listen(endpoint))
    })
  ),

  reactorCase(
    "an endpoint of somebody else's making listens by means of the reactor",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const endpoint = yield* subject.server()
      const listener = yield* reactor.listen(
        Endpoint.custom({
          description: "custom",
          listen: Effect.flatMap(Reactor, (reactor) => reactor.listen(endpoint))
        })
      )
      const { accepted } = yield* accepting(listener)
      const client = yield* connecting(
        Endpoint.customClient({
          description: "custom",
          connect: Effect.flatMap(Reactor, (reactor) => reactor.connect(subject.client(listener.address)))
        })
      )
      yield* client.transport.send("x")
      equal(yield* takeText(yield* accepted, 1), "x", "what the server received")
    })
  ),

  reactorCase(
    "two reactors live side by side, and end apart",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const other = yield* Scope.fork(yield* Effect.scope)
      const context = yield* Scope.provide(Layer.build(Layer.fresh(subject.layer)), other)
      yield* Effect.gen(function* () {
        const reactor = yield* Reactor
        const listener = yield* reactor.listen(yield* subject.server())
        const { accepted } = yield* accepting(listener)
        const { transport } = yield* connecting(subject.client(listener.address))
        yield* transport.send("other")
        equal(yield* takeText(yield* accepted, 5), "other", "what came by the other reactor")
      }).pipe(scopedParallel, Effect.provideContext(context))
      yield* Scope.close(other, Exit.void)
      const { transport } = yield* connecting(subject.client(listener.address))
      yield* transport.send("first")
      equal(yield* takeText(yield* accepted, 5), "first", "what came by the first reactor")
    })
  )
]
