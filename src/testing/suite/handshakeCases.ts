import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { TransportReason } from "../../reactor/ReactorError.ts"
import { receiveAll } from "./bytes.ts"
import { equal, errorOf, failsWith, failureOf, isPending, reasonOf, that, turns } from "./check.ts"
import { connectedPair, reactorCase, type ReactorSubject } from "./ReactorCase.ts"
import { goAhead, upgradeExits } from "./upgrade.ts"

const fork = { startImmediately: true } as const
const lostHandshake: ReadonlyArray<TransportReason["_tag"]> = [
  "HandshakeFailed",
  "CertificateRejected",
  "Reset"
]

/** Handshakes that cannot succeed: they fail, typed and in time, and the connection is over. */
export const handshakeCases = [
  reactorCase(
    "a certificate of an unknown authority is rejected",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const tls = subject.tls!
      const [client, server] = yield* upgradeExits(left, right, {
        server: tls.server,
        client: { ...tls.client, authorities: [] }
      })
      reasonOf(errorOf(client, "the client's startTls"), ["CertificateRejected"], "the client's startTls")
      reasonOf(errorOf(server, "the server's side"), lostHandshake, "the server's side")
    }),
    "certificates"
  ),

  reactorCase(
    "a certificate of another name is rejected",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const tls = subject.tls!
      const [client, server] = yield* upgradeExits(left, right, {
        server: tls.server,
        client: { ...tls.client, serverName: "another.example" }
      })
      reasonOf(errorOf(client, "the client's startTls"), ["CertificateRejected"], "the client's startTls")
      reasonOf(errorOf(server, "the server's side"), lostHandshake, "the server's side")
    }),
    "certificates"
  ),

  reactorCase(
    "TLS options that cannot work are named, and end the connection",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const identity = { certificate: "not PEM", privateKey: "not PEM" }
      const start = right.startTls({ role: "server", tls: { identity }, reply: goAhead })
      yield* failsWith(start, "InvalidTlsOptions", "startTls without a certificate")
      yield* Effect.exit(receiveAll(left))
    }),
    "certificates"
  ),

  reactorCase(
    "a peer that does not speak TLS fails the handshake",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const role of ["server", "client"] as const) {
        const { left, right } = yield* connectedPair(subject)
        const { server, client } = subject.tls!
        const start = right.startTls(role === "server" ? { role, tls: server } : { role, tls: client })
        yield* left.send("EHLO there\r\n".repeat(50))
        reasonOf(yield* failureOf(start, `startTls as ${role}`), lostHandshake, `startTls as ${role}`)
        yield* Effect.exit(receiveAll(left))
      }
    }),
    "tls"
  ),

  reactorCase(
    "a peer that goes away during the handshake fails it",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const role of ["server", "client"] as const) {
        for (const way of ["close", "abort", "end"] as const) {
          const { left, right, closeLeft } = yield* connectedPair(subject)
          const { server, client } = subject.tls!
          const start = yield* Effect.forkChild(
            right.startTls(role === "server" ? { role, tls: server } : { role, tls: client }),
            fork
          )
          yield* turns(10)
          yield* way === "close" ? Effect.forkChild(closeLeft, fork) : left[way]
          const what = `startTls as ${role} after ${way}`
          reasonOf(yield* failureOf(Fiber.join(start), what), lostHandshake, what)
        }
      }
    }),
    "tls"
  ),

  reactorCase(
    "a silent peer runs into the handshake's deadline",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const role of ["server", "client"] as const) {
        const { left, right } = yield* connectedPair(subject)
        const { server, client } = subject.tls!
        const start = right.startTls(
          role === "server"
            ? { role, tls: { ...server, handshakeTimeout: 30 } }
            : { role, tls: { ...client, handshakeTimeout: 30 } }
        )
        yield* failsWith(start, "TimedOut", `startTls as ${role}`)
        yield* Effect.exit(receiveAll(left))
      }
    }),
    "tls"
  ),

  reactorCase(
    "a handshake that is given up ends the connection",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const role of ["server", "client"] as const) {
        const { left, right, closeRight } = yield* connectedPair(subject)
        const { server, client } = subject.tls!
        const start = yield* Effect.forkChild(
          right.startTls(role === "server" ? { role, tls: server } : { role, tls: client }),
          fork
        )
        yield* turns(5)
        equal(isPending(start), true, "the handshake waits")
        yield* Fiber.interrupt(start)
        yield* Effect.exit(receiveAll(left))
        yield* failsWith(right.send("plaintext"), "Detached", "send on the old transport")
        yield* closeRight
      }
    }),
    "tls"
  ),

  reactorCase(
    "closing during the handshake ends it",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const role of ["server", "client"] as const) {
        const { left, right, closeLeft, closeRight } = yield* connectedPair(subject)
        const { server, client } = subject.tls!
        const start = yield* Effect.forkChild(
          right.startTls(role === "server" ? { role, tls: server } : { role, tls: client }),
          fork
        )
        yield* turns(5)
        const closing = yield* Effect.forkChild(closeRight, fork)
        yield* Effect.exit(receiveAll(left))
        yield* closeLeft
        yield* Fiber.join(closing)
        that(Exit.isFailure(yield* Fiber.await(start)), "startTls succeeded on a closed connection")
      }
    }),
    "tls"
  )
]
