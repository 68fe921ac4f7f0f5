import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Transport } from "../../reactor/Transport.ts"
import { cut, pattern, receiveAll, sameBytes, sendAll, takeText, text } from "./bytes.ts"
import { equal, failsWith, that, turns } from "./check.ts"
import { connectedPair, reactorCase, type ReactorSubject } from "./ReactorCase.ts"
import { goAhead, upgrade } from "./upgrade.ts"

const fork = { startImmediately: true } as const
/** Changing to TLS on the live connection. */
export const startTlsCases = [
  reactorCase(
    "startTls protects the connection, and says how",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      equal(left.security._tag, "Plain", "the security before")
      const tls = subject.tls!
      const [client, server] = yield* upgrade(left, right, tls)
      for (const { security } of [client, server]) {
        that(security._tag === "Tls", "the security is Plain")
        that(security.protocol !== "", "no protocol is named")
        that(security.cipher !== "", "no cipher is named")
        equal(security.alpn, "echo", "the protocol agreed by ALPN")
        if (tls.client.serverName !== undefined) equal(security.serverName, tls.client.serverName, "SNI")
      }
      yield* client.send("hello")
      equal(yield* takeText(server, 5), "hello", "what the server received")
      yield* server.send("world")
      equal(yield* takeText(client, 5), "world", "what the client received")
    }),
    "tls"
  ),

  reactorCase(
    "the server's certificate is verified, and can be looked at",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const [{ security }] = yield* upgrade(left, right, subject.tls!)
      that(security._tag === "Tls", "the security is Plain")
      that(/^TLSv1\.[23]$/.test(security.protocol), `the protocol: ${security.protocol}`)
      that(security.peerVerified, "the server was not verified")
      // DER: a SEQUENCE.
      equal(security.peerCertificate?.[0], 0x30, "the first byte of the server's certificate")
    }),
    "certificates"
  ),

  reactorCase(
    "the side that connected may be the TLS server",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const [client, server] = yield* upgrade(right, left, subject.tls!)
      yield* client.send("hello")
      equal(yield* takeText(server, 5), "hello", "what the server received")
      yield* server.send("world")
      equal(yield* takeText(client, 5), "world", "what the client received")
    }),
    "tls"
  ),

  reactorCase(
    "an upgraded connection echoes 1 MiB, and ends cleanly",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      // Asked before, it is the end of what it changes to all the same.
      const over = yield* Effect.forkChild(left.closed, fork)
      const [client, server] = yield* upgrade(left, right, subject.tls!)
      const bytes = pattern(1024 * 1024)
      const echo = yield* Effect.forkChild(Effect.andThen(server.receiveEach(server.send), server.end), fork)
      yield* Effect.forkChild(Effect.andThen(sendAll(client, cut(bytes, 20_000)), client.end), fork)
      sameBytes(yield* receiveAll(client), bytes, "the echo")
      yield* Fiber.join(echo)
      yield* client.closed
      yield* server.closed
      yield* left.closed
      yield* Fiber.join(over)
    }),
    "tls"
  ),

  reactorCase(
    "what a side sends as soon as it is secured is not lost",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      for (const versionMin of ["TLSv1.2", "TLSv1.3"] as const) {
        const { left, right } = yield* connectedPair(subject)
        const tls = subject.tls!
        const greet = (secured: Transport) => Effect.as(secured.send("greeting"), secured)
        const [client, server] = yield* Effect.all(
          [
            Effect.flatMap(left.startTls({ role: "client", tls: { ...tls.client, versionMin } }), greet),
            Effect.flatMap(right.startTls({ role: "server", tls: { ...tls.server, versionMin } }), greet)
          ],
          { concurrency: "unbounded" }
        )
        equal(yield* takeText(client, 8), "greeting", "what the client received")
        equal(yield* takeText(server, 8), "greeting", "what the server received")
      }
    }),
    "tls"
  ),

  reactorCase(
    "startTls is refused over buffered plaintext, and the connection goes on",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      // CVE-2011-0411: what was pipelined behind the command must not be taken for protected input.
      yield* left.send("STARTTLS\r\nRSET\r\n")
      equal(yield* takeText(right, 10), "STARTTLS\r\n", "the command")
      const rest = yield* right.receive
      yield* right.unread(rest)
      const start = right.startTls({ role: "server", tls: subject.tls!.server, reply: goAhead })
      yield* failsWith(start, "UnreadBytes", "startTls over buffered plaintext")
      equal(text(yield* right.receive), "RSET\r\n", "what was buffered")
      yield* right.send("502 no\r\n")
      equal(yield* takeText(left, 8), "502 no\r\n", "what the client received: no go-ahead")
      const [client, server] = yield* upgrade(left, right, subject.tls!)
      yield* client.send("x")
      equal(yield* takeText(server, 1), "x", "what came over TLS in the end")
    }),
    "tls"
  ),

  reactorCase(
    "startTls is refused over plaintext that came while nobody received",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      yield* left.send("STARTTLS\r\n")
      equal(yield* takeText(right, 10), "STARTTLS\r\n", "the command")
      yield* left.send("injected")
      yield* turns(200)
      const start = right.startTls({ role: "server", tls: subject.tls!.server, reply: goAhead })
      yield* failsWith(start, "UnreadBytes", "startTls over buffered plaintext")
      equal(yield* takeText(right, 8), "injected", "what was buffered")
    }),
    "tls"
  ),

  reactorCase(
    "startTls is busy while somebody receives",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const receiving = yield* Effect.forkChild(right.receive, fork)
      const start = right.startTls({ role: "server", tls: subject.tls!.server, reply: goAhead })
      yield* failsWith(start, "Busy", "startTls beside a receive")
      yield* left.send("x")
      equal(text(yield* Fiber.join(receiving)), "x", "what the receive gave")
    }),
    "tls"
  ),

  reactorCase(
    "startTls after the end fails as closed",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { right, closeRight } = yield* connectedPair(subject)
      const start = right.startTls({ role: "server", tls: subject.tls!.server, reply: goAhead })
      yield* right.end
      yield* failsWith(start, "Closed", "startTls after end")
      yield* Effect.forkChild(closeRight, fork)
      yield* failsWith(start, "Closed", "startTls after closing")
    }),
    "tls"
  ),

  reactorCase(
    "the old transport is detached",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right } = yield* connectedPair(subject)
      const tls = subject.tls!
      const [client, server] = yield* upgrade(left, right, tls)
      for (const old of [left, right]) {
        yield* failsWith(old.receive, "Detached", "receive")
        yield* failsWith(
          old.receiveEach(() => Effect.void),
          "Detached",
          "receiveEach"
        )
        yield* failsWith(old.send("plaintext"), "Detached", "send")
        yield* failsWith(old.end, "Detached", "end")
        yield* failsWith(old.startTls({ role: "client", tls: tls.client }), "Detached", "startTls")
      }
      yield* client.send("x")
      equal(yield* takeText(server, 1), "x", "what came over TLS")
    }),
    "tls"
  ),

  reactorCase(
    "closing the old transport closes the new one, after what was sent",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right, closeLeft, closeRight } = yield* connectedPair(subject)
      const [client, server] = yield* upgrade(left, right, subject.tls!)
      yield* client.send("bye")
      const closing = yield* Effect.forkChild(closeLeft, fork)
      equal(text(yield* receiveAll(server)), "bye", "what the server received")
      yield* failsWith(client.send("x"), "Closed", "send while closing")
      yield* closeRight
      yield* Fiber.join(closing)
      yield* client.closed
    }),
    "tls"
  ),

  reactorCase(
    "aborting the old transport aborts the new one",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const { left, right, closeLeft } = yield* connectedPair(subject)
      const [client, server] = yield* upgrade(left, right, subject.tls!)
      const receiving = yield* Effect.forkChild(client.receive, fork)
      yield* left.abort
      yield* failsWith(Fiber.join(receiving), "Aborted", "the pending receive")
      that(Exit.isFailure(yield* Effect.exit(server.receive)), "the server received from nowhere")
      yield* closeLeft
    }),
    "tls"
  )
]
