/** TLS over real sockets: what the suites of `spindle/testing` cannot ask. */
import * as nodeTls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { hello, plainSocket, receiveAllText, socketEnd } from "./sockets.ts"
import {
  authority,
  client,
  connect,
  echoes,
  live,
  local,
  refused,
  secured,
  serve,
  server
} from "./tlsEcho.ts"

const countsOf = (running: Server.Server) =>
  Effect.gen(function* () {
    // Published at most once a turn.
    yield* Effect.yieldNow
    return yield* SubscriptionRef.get(running.counts)
  })

describe.skipIf(!certificates.available)("TLS", () => {
  describe("certificates are verified", () => {
    live(
      "an authority of our own works, and security says so",
      Effect.gen(function* () {
        const { port } = yield* serve()
        const security = yield* echoes(port)
        assert.isTrue(security.peerVerified)
        assert.strictEqual(security.protocol, "TLSv1.3")
        assert.match(security.cipher, /^TLS_/)
        assert.strictEqual(security.serverName, "localhost")
        assert.isUndefined(security.alpn)
        assert.deepStrictEqual(
          Buffer.from(security.peerCertificate!),
          Buffer.from(server.certificate.replace(/-----[^-]+-----|\s/g, ""), "base64")
        )
      })
    )

    live(
      "by default the platform's authorities, who do not know ours",
      Effect.gen(function* () {
        const { port } = yield* serve()
        assert.deepStrictEqual(yield* refused(port, { authorities: undefined }), {
          reason: "CertificateRejected",
          errno: "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        })
        yield* echoes(port)
      })
    )

    live(
      "another name is refused; an IP address has to be among the names",
      Effect.gen(function* () {
        const { port } = yield* serve()
        const rejected = { reason: "CertificateRejected", errno: "ERR_TLS_CERT_ALTNAME_INVALID" }
        assert.deepStrictEqual(yield* refused(port, {}, "another.example"), rejected)
        assert.deepStrictEqual(yield* refused(port, {}, "127.0.0.9"), rejected)
        const transport = yield* connect(port, {}, local)
        assert.isUndefined(secured(transport).serverName, "an IP address was sent as SNI")
        // Without a name given, the endpoint's host.
        yield* connect(port, { serverName: undefined })
      })
    )

    live(
      "a self-signed certificate is refused, unless it is the authority",
      Effect.gen(function* () {
        const identity = certificates.selfSigned("localhost")
        const { port } = yield* serve({ identity })
        assert.deepStrictEqual(yield* refused(port, { authorities: [] }), {
          reason: "CertificateRejected",
          errno: "DEPTH_ZERO_SELF_SIGNED_CERT"
        })
        yield* echoes(port, { authorities: identity.certificate })
        const chain = { ...server, certificate: server.certificate + authority.certificate }
        const other = yield* serve({ identity: chain })
        assert.deepStrictEqual(yield* refused(other.port, { authorities: [] }), {
          reason: "CertificateRejected",
          errno: "SELF_SIGNED_CERT_IN_CHAIN"
        })
      })
    )

    live(
      "a certificate that is over, or for clients only, is refused",
      Effect.gen(function* () {
        const over = yield* serve({ identity: authority.issue({ names: ["localhost"], days: -1 }) })
        assert.deepStrictEqual(yield* refused(over.port), {
          reason: "CertificateRejected",
          errno: "CERT_HAS_EXPIRED"
        })
        const wrong = yield* serve({ identity: authority.issue({ names: ["localhost"], usage: "client" }) })
        assert.deepStrictEqual(yield* refused(wrong.port), {
          reason: "CertificateRejected",
          errno: "INVALID_PURPOSE"
        })
      })
    )

    live(
      "only whoever says so accepts any certificate, and it does not count as verified",
      Effect.gen(function* () {
        const { port } = yield* serve()
        const transport = yield* connect(port, { authorities: [], insecurelyAcceptAnyCertificate: true })
        assert.isFalse(secured(transport).peerVerified)
        assert.isDefined(secured(transport).peerCertificate)
      })
    )

    live(
      "options that cannot work are named, on either side",
      Effect.gen(function* () {
        const identity = { certificate: server.certificate, privateKey: client.privateKey }
        const listening = yield* Effect.flip(serve({ identity }))
        assert.strictEqual(listening.reason._tag, "InvalidTlsOptions")
        const { port } = yield* serve()
        assert.strictEqual((yield* refused(port, { identity })).reason, "InvalidTlsOptions")
        assert.strictEqual((yield* refused(port, { ciphers: "NONSENSE" })).reason, "InvalidTlsOptions")
      })
    )
  })

  describe("ALPN", () => {
    live(
      "the server's preference decides",
      Effect.gen(function* () {
        const { port } = yield* serve({ alpn: ["b", "a"] })
        assert.strictEqual((yield* echoes(port, { alpn: ["x", "a", "b"] })).alpn, "b")
        assert.isUndefined((yield* echoes(port)).alpn)
      })
    )

    live(
      "nothing in common is no_application_protocol",
      Effect.gen(function* () {
        const { port } = yield* serve({ alpn: ["a"] })
        const error = yield* Effect.flip(connect(port, { alpn: ["b"] }))
        assert.strictEqual(error.reason._tag, "HandshakeFailed")
        // RFC 7301 §3.2: alert 120.
        assert.strictEqual(error.reason.errno, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
        yield* echoes(port, { alpn: ["a"] })
      })
    )
  })

  describe("certificates of clients", () => {
    /** What the server says of its peer. */
    const seen = Effect.fnUntraced(function* (
      clientCertificate: Tls.ServerOptions["clientCertificate"],
      identity: Tls.Identity | undefined
    ) {
      const told = yield* Deferred.make<readonly [boolean, boolean]>()
      const { port } = yield* serve(
        { clientCertificate, authorities: authority.certificate },
        (transport) => {
          const { peerCertificate, peerVerified } = secured(transport)
          return Effect.asVoid(Deferred.succeed(told, [peerVerified, peerCertificate !== undefined]))
        }
      )
      yield* connect(port, { identity })
      return yield* Deferred.await(told)
    })
    const stranger = certificates.available
      ? certificates.authority("Somebody else").issue({ names: ["a stranger"] })
      : certificates.nobody

    live(
      "none: not even asked for",
      Effect.map(seen("none", client), (told) => assert.deepStrictEqual(told, [false, false]))
    )
    live(
      "request: looked at, and said whether to be trusted",
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* seen("request", undefined), [false, false])
        assert.deepStrictEqual(yield* seen("request", client), [true, true])
        assert.deepStrictEqual(yield* seen("request", stranger), [false, true])
      })
    )
    live(
      "require: nothing else gets in",
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* seen("require", client), [true, true])
        let entered = 0
        const { port } = yield* serve(
          { clientCertificate: "require", authorities: authority.certificate },
          (transport) =>
            Effect.andThen(
              Effect.sync(() => void entered++),
              transport.send("welcome")
            )
        )
        for (const identity of [undefined, stranger]) {
          for (const versionMin of ["TLSv1.2", "TLSv1.3"] as const) {
            // The client's handshake is done before Node looks at its certificate, and then closes without an alert.
            const heard = yield* Effect.exit(
              Effect.scoped(Effect.flatMap(connect(port, { identity, versionMin }), receiveAllText))
            )
            if (heard._tag === "Success") assert.strictEqual(heard.value, "")
          }
        }
        assert.strictEqual(entered, 0)
      })
    )
  })

  describe("what others do to the port", () => {
    live(
      "a client that speaks no TLS ends its own connection only",
      Effect.gen(function* () {
        const { port, running } = yield* serve()
        const plain = yield* plainSocket(port)
        plain.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield* socketEnd(plain)
        yield* echoes(port)
        const { accepted, failed } = yield* countsOf(running)
        assert.deepStrictEqual([accepted, failed], [1, 0])
      })
    )

    live(
      "a server that speaks no TLS fails the handshake",
      Effect.gen(function* () {
        const plain = yield* Server.make(Endpoint.tcp({ port: 0, interface: local }), (transport) =>
          transport.send("220 hello\r\n")
        )
        const { errno, reason } = yield* refused(inetOf(plain.address).port)
        assert.strictEqual(reason, "HandshakeFailed")
        assert.match(errno ?? "", /^ERR_SSL_/)
      })
    )

    live(
      "50 handshakes reset midway leave nothing, and the server serves",
      Effect.gen(function* () {
        const { port, running } = yield* serve()
        yield* Effect.forEach(
          Array.from({ length: 50 }, (_, index) => index),
          (index) =>
            Effect.scoped(
              Effect.gen(function* () {
                const socket = yield* plainSocket(port)
                // Not at all, a part of the record's head, a part of the hello, the whole of a hello.
                socket.write(hello.subarray(0, [0, 3, 60, hello.length][index % 4]!))
                if (index % 4 === 3) {
                  yield* Effect.callback<void>(
                    (resume) => void socket.once("data", () => resume(Effect.void))
                  )
                }
                socket.resetAndDestroy()
              })
            ),
          { concurrency: 10 }
        )
        yield* echoes(port)
        assert.strictEqual((yield* countsOf(running)).accepted, 1)
      })
    )

    live(
      "a handshake has a deadline, a Duration",
      Effect.gen(function* () {
        for (const handshakeTimeout of [300, "300 millis"] as const) {
          const { port } = yield* serve({ handshakeTimeout })
          const idle = yield* plainSocket(port)
          yield* socketEnd(idle)
          yield* echoes(port)
        }
        // More than Node's timers can count.
        for (const handshakeTimeout of ["Infinity", "100 days"] as const) {
          const { port } = yield* serve({ handshakeTimeout })
          yield* echoes(port)
        }
      })
    )

    live(
      "stopping the listener ends handshakes under way, and no connection",
      Effect.gen(function* () {
        const reactor = yield* Reactor
        const listener = yield* reactor.listen(
          Endpoint.tls({ port: 0, interface: local, tls: { identity: server } })
        )
        const accepted = yield* Deferred.make<Closeable>()
        yield* Effect.forkScoped(
          Effect.exit(listener.acceptEach((each) => Deferred.doneUnsafe(accepted, Effect.succeed(each))))
        )
        const { port } = inetOf(listener.address)
        const transport = yield* connect(port)
        const other = yield* Deferred.await(accepted)
        const begun = yield* plainSocket(port)
        begun.write(hello.subarray(0, 60))
        const silent = yield* plainSocket(port)
        // Behind both, so that they have been accepted.
        yield* Effect.exit(refused(port, {}, "another.example"))
        yield* listener.stop
        yield* Effect.all([socketEnd(begun), socketEnd(silent)], { concurrency: "unbounded" })
        yield* other.send("x")
        assert.strictEqual((yield* transport.receive).length, 1)
        yield* other.abort
      })
    )
  })

  describe("ends", () => {
    live(
      "half-close, both ways",
      Effect.gen(function* () {
        const { port } = yield* serve({}, (transport) =>
          Effect.gen(function* () {
            const text = yield* receiveAllText(transport)
            yield* transport.send(`after the end: ${text}`)
          })
        )
        const transport = yield* connect(port)
        yield* transport.send("question")
        yield* transport.end
        assert.strictEqual(yield* receiveAllText(transport), "after the end: question")

        const heard = yield* Deferred.make<string>()
        const other = yield* serve({}, (transport) =>
          Effect.gen(function* () {
            yield* transport.end
            yield* Deferred.succeed(heard, yield* receiveAllText(transport))
          })
        )
        const talker = yield* connect(other.port)
        assert.strictEqual(yield* receiveAllText(talker), "")
        yield* talker.send("more")
        yield* talker.end
        assert.strictEqual(yield* Deferred.await(heard), "more")
      })
    )

    live(
      "an abort resets the connection below, either side's",
      Effect.gen(function* () {
        const ended = yield* Deferred.make<string>()
        const { port } = yield* serve({}, (transport) =>
          transport.send("welcome").pipe(
            Effect.andThen(Effect.flip(transport.receive)),
            Effect.flatMap((error) =>
              Deferred.succeed(ended, error._tag === "TransportError" ? error.reason._tag : "Done")
            )
          )
        )
        const aborting = yield* connect(port)
        yield* aborting.receive
        yield* aborting.abort
        assert.strictEqual(yield* Deferred.await(ended), "Reset")

        const other = yield* serve({}, (transport) => transport.abort)
        const raw = yield* plainSocket(other.port)
        const secure = nodeTls.connect({ socket: raw, ca: authority.certificate, servername: "localhost" })
        const code = yield* Effect.callback<unknown>((resume) => {
          secure.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code)))
          secure.on("end", () => resume(Effect.succeed("end")))
          secure.resume()
        })
        assert.strictEqual(code, "ECONNRESET")
      })
    )
  })
})
