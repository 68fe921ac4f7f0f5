import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import { visible } from "../../reactor/EndpointExcerpt.ts"
import { Reactor } from "../../reactor/Reactor.ts"
import { ConnectError, ResolveError } from "../../reactor/ReactorError.ts"
import { receiveAll, takeText, text } from "./bytes.ts"
import { equal, failureOf, that, turns, until } from "./check.ts"
import { accepting, connecting, reactorCase, type ReactorSubject, serving } from "./ReactorCase.ts"

const fork = { startImmediately: true } as const

const connectFails = <R>(
  effect: Effect.Effect<unknown, unknown, R>,
  tags: ReadonlyArray<ConnectError["reason"]["_tag"]>,
  what: string
) =>
  Effect.map(failureOf(effect, what), (error) => {
    that(error instanceof ConnectError, `${what}: expected a ConnectError, got ${String(error)}`)
    that(
      tags.includes(error.reason._tag),
      `${what}: expected ${tags.join(" or ")}, got ${error.reason._tag} (${error.message})`
    )
    that(
      error.message.includes(visible(error.endpoint)) && error.endpoint !== "",
      `${what}: the message names no endpoint`
    )
    return error
  })

const stoppedPort = Effect.fnUntraced(function* (subject: ReactorSubject) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(yield* subject.server())
  yield* listener.stop
  return subject.client(listener.address)
})

const portOf = (address: NetAddress.SocketAddress): number => {
  that(NetAddress.isInetAddress(address), "the address has no port")
  return address.port
}

// RFC 2606 §2: guaranteed not to exist.
const nowhere = "no-such-host.invalid"

/** Reaching a place, and the ways not to. */
export const connectingCases = [
  reactorCase(
    "where nobody listens, connecting is refused",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const endpoint = yield* subject.refused ?? stoppedPort(subject)
      const error = yield* connectFails(connecting(endpoint), ["Refused"], "connecting where nobody listens")
      equal(error.reason.fault, "Remote", "whose fault it is")
      const caught = yield* connecting(endpoint).pipe(
        Effect.as("connected"),
        Effect.catchReason("ConnectError", "Refused", () => Effect.succeed("refused"))
      )
      equal(caught, "refused", "what catchReason gave")
    })
  ),

  reactorCase(
    "a name that does not exist is an unknown host",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      // A machine without a name service cannot know, and says that.
      const tags = ["UnknownHost", "ResolverFailed"] as const
      yield* connectFails(connecting(subject.named!(nowhere, 80)), tags, `connecting to ${nowhere}`)
    }),
    "named"
  ),

  reactorCase(
    "a name is resolved: localhost",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const { transport } = yield* connecting(subject.named!("localhost", portOf(listener.address)))
      yield* transport.send("x")
      equal(yield* takeText(yield* accepted, 1), "x", "what the server received")
    }),
    "named"
  ),

  reactorCase(
    "a port that cannot be is an invalid address",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      yield* connectFails(connecting(subject.named!("127.0.0.1", 70_000)), ["InvalidAddress"], "port 70000")
      yield* connectFails(connecting(subject.named!("127.0.0.1", -1)), ["InvalidAddress"], "port -1")
    }),
    "named"
  ),

  reactorCase(
    "an attempt that is not answered times out",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const endpoint = yield* subject.unanswered!({ timeout: "50 millis" })
      const error = yield* connectFails(connecting(endpoint), ["TimedOut"], "connecting without an answer")
      equal(error.reason.errno, "ETIMEDOUT", "errno")
    }),
    "unanswered"
  ),

  reactorCase(
    "an attempt that is not answered can be given up",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const endpoint = yield* subject.unanswered!()
      const attempt = yield* Effect.forkChild(connecting(endpoint), fork)
      yield* turns(20)
      that(attempt.pollUnsafe() === undefined, "the attempt did not wait")
      yield* Fiber.interrupt(attempt)
      that(Exit.isFailure(yield* Fiber.await(attempt)), "the attempt succeeded")
    }),
    "unanswered"
  ),

  reactorCase(
    "an attempt given up at any moment leaves no connection",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      let bytes = 0
      const count = yield* serving(listener, (transport) =>
        Effect.map(receiveAll(transport), (received) => {
          bytes += received.length
        })
      )
      for (let i = 0; i < 60; i++) {
        const attempt = yield* Effect.forkChild(
          Effect.scoped(connecting(subject.client(listener.address))),
          fork
        )
        yield* turns(i % 12)
        yield* Fiber.interrupt(attempt)
      }
      yield* turns(50)
      // Those that got through have ended: cleanly or by a reset.
      yield* until(() => count.open === 0, "the connections that were made have ended")
      equal(bytes, 0, "bytes that came")
    })
  ),

  reactorCase(
    "the end of the scope closes the connection, after what was sent",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const { transport, close } = yield* connecting(subject.client(listener.address))
      const server = yield* accepted
      yield* transport.send("bye")
      const closing = yield* Effect.forkChild(close, fork)
      equal(text(yield* receiveAll(server)), "bye", "what the server received")
      yield* server.close
      yield* Fiber.join(closing)
    })
  ),

  reactorCase(
    "connecting in a scope that has ended opens nothing",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const count = yield* serving(listener, receiveAll)
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Effect.exit(Scope.provide(reactor.connect(subject.client(listener.address)), scope))
      yield* turns(50)
      yield* until(() => count.open === 0, "the connection, if one was made, has ended")
    })
  ),

  reactorCase(
    "an IP literal resolves to itself",
    Effect.fnUntraced(function* () {
      const reactor = yield* Reactor
      for (const literal of ["192.0.2.7", "2001:db8::7"]) {
        const addresses = yield* reactor.resolve(literal)
        equal(addresses.map(NetAddress.formatIp).join(), literal, "the addresses")
      }
      const v4 = yield* reactor.resolve("192.0.2.7", { family: "IPv4" })
      equal(v4.map(NetAddress.formatIp).join(), "192.0.2.7", "the addresses")
      const error = yield* failureOf(
        reactor.resolve("192.0.2.7", { family: "IPv6" }),
        "the IPv6 of an IPv4 literal"
      )
      that(error instanceof ResolveError, `expected a ResolveError, got ${String(error)}`)
      equal(error.reason._tag, "UnknownHost", "the reason")
    })
  ),

  reactorCase(
    "localhost resolves to this machine, by family",
    Effect.fnUntraced(function* () {
      const reactor = yield* Reactor
      const any = yield* reactor.resolve("localhost")
      that(any.every(NetAddress.isLoopback), "localhost is somewhere else")
      const v4 = yield* reactor.resolve("localhost", { family: "IPv4" })
      equal(v4.map(NetAddress.formatIp).join(), "127.0.0.1", "the IPv4 addresses of localhost")
    }),
    "named"
  ),

  reactorCase(
    "a name that does not exist does not resolve",
    Effect.fnUntraced(function* () {
      const reactor = yield* Reactor
      const error = yield* failureOf(reactor.resolve(nowhere), `resolving ${nowhere}`)
      that(error instanceof ResolveError, `expected a ResolveError, got ${String(error)}`)
      that(["UnknownHost", "ResolverFailed"].includes(error.reason._tag), `the reason: ${error.reason._tag}`)
      equal(error.name, nowhere, "the name")
    }),
    "named"
  )
]
