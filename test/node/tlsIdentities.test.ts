/** Several identities on one port: who gets which, what changes, and what hooks may do to it. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Identities from "../../src/reactor/Identities.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { describePeer, openssl } from "../support/peers.ts"
import { authority, connect, echo, echoes, live, local, logged, secured, serve } from "./tlsEcho.ts"

const issue = (...names: ReadonlyArray<string>): Tls.Identity => authority.issue({ names })

const der = (identity: Tls.Identity): string => certificates.derOf(String(identity.certificate))

/** The certificate that a client gets who asks for a name, whatever it is good for. */
const shown = Effect.fnUntraced(function* (port: number, serverName: string, tls: Tls.ClientOptions = {}) {
  const options = { insecurelyAcceptAnyCertificate: true, ...tls }
  const transport = yield* connect(port, options, serverName)
  return Buffer.from(secured(transport).peerCertificate!).toString("base64")
}, Effect.scoped)

const a = issue("a.example", "both.example")
const b = issue("b.example", "both.example", "*.wild.example")
const plain = authority.issue({ names: [], commonName: "common.example" })

describe.skipIf(!certificates.available)("identities", () => {
  live(
    "the first one whose certificate holds the name, whatever its case; else the first",
    Effect.gen(function* () {
      const { port } = yield* serve({ identity: [a, b, plain] })
      const expected: ReadonlyArray<readonly [string, Tls.Identity]> = [
        ["a.example", a],
        ["b.example", b],
        ["both.example", a],
        ["B.Example", b],
        ["x.wild.example", b],
        ["x.y.wild.example", a],
        ["wild.example", a],
        ["common.example", plain],
        ["unknown.example", a],
        // No SNI for an address.
        [local, a]
      ]
      for (const [name, identity] of expected) {
        assert.strictEqual(yield* shown(port, name), der(identity), name)
      }
    })
  )

  live(
    "a name beside other names is no common name",
    Effect.gen(function* () {
      const misled = authority.issue({ names: ["other.example"], commonName: "b.example" })
      const { port } = yield* serve({ identity: [misled, b] })
      assert.strictEqual(yield* shown(port, "b.example"), der(b))
    })
  )

  live(
    "the hello is understood in whatever pieces it comes, and serverName says what was asked for",
    Effect.gen(function* () {
      const names: Array<string | undefined> = []
      const { port } = yield* serve({ identity: [a, b] }, (transport) =>
        Effect.andThen(
          Effect.sync(() => names.push(secured(transport).serverName)),
          echo(transport)
        )
      )
      yield* echoes(port, { serverName: "B.example" })
      yield* certificates.available ? echoes(port, { serverName: "a.example" }) : Effect.void
      assert.deepStrictEqual(names, ["b.example", "a.example"])
    })
  )

  describe("unknownServerName: refuse", () => {
    live(
      "is unrecognized_name for a name that nobody holds; without SNI it is the first",
      Effect.gen(function* () {
        for (const identity of [[a, b], b]) {
          const { port } = yield* serve({ identity, unknownServerName: "refuse" })
          const { reason } = yield* Effect.flip(connect(port, {}, "c.example"))
          assert.strictEqual(reason._tag, "HandshakeFailed")
          // RFC 6066 §3: alert 112.
          assert.match(reason.errno ?? "", /UNRECOGNIZED_NAME/)
          assert.strictEqual(yield* shown(port, "b.example"), der(b))
          assert.strictEqual(yield* shown(port, local), der([identity].flat()[0]!))
        }
      })
    )
  })

  describe("a source", () => {
    live(
      "is asked by each new handshake; connections that stand are left alone",
      Effect.gen(function* () {
        const source = yield* Identities.make(a)
        const { port } = yield* serve({ identity: source })
        const standing = yield* connect(port, {}, "a.example")
        assert.strictEqual(yield* shown(port, "a.example"), der(a))
        const renewed = issue("a.example")
        yield* source.replace([b, renewed])
        assert.strictEqual(yield* shown(port, "a.example"), der(renewed))
        assert.strictEqual(yield* shown(port, "other.example"), der(b))
        yield* standing.send("still there")
        assert.strictEqual((yield* standing.receive).length, "still there".length)
      })
    )

    live(
      "that has nothing usable does not begin to listen",
      Effect.gen(function* () {
        const broken = { certificate: "no PEM", privateKey: "no PEM" }
        for (const identities of [
          Effect.fail("out of order"),
          Effect.die("out of order"),
          Effect.succeed([]),
          Effect.succeed([broken]),
          Effect.never
        ]) {
          const error = yield* Effect.flip(serve({ identity: { identities }, handshakeTimeout: 50 }))
          assert.strictEqual(error.reason._tag, "InvalidTlsOptions")
        }
        assert.strictEqual((yield* Effect.flip(serve({ identity: [] }))).reason._tag, "InvalidTlsOptions")
        const second = yield* Effect.flip(serve({ identity: [a, broken] }))
        assert.strictEqual(second.reason._tag, "InvalidTlsOptions")
      })
    )
  })

  describe("selectIdentity", () => {
    live(
      "chooses by the name in lower case, or leaves it to the names",
      Effect.gen(function* () {
        const asked: Array<string | undefined> = []
        const tenant = issue("tenant.example")
        const { port } = yield* serve({
          identity: [a, b],
          selectIdentity: (name) =>
            Effect.as(
              Effect.andThen(
                Effect.yieldNow,
                Effect.sync(() => asked.push(name))
              ),
              name === "tenant.example" ? tenant : undefined
            )
        })
        assert.strictEqual(yield* shown(port, "Tenant.Example"), der(tenant))
        assert.strictEqual(yield* shown(port, "b.example"), der(b))
        assert.strictEqual(yield* shown(port, local), der(a))
        assert.deepStrictEqual(asked, ["tenant.example", "b.example", undefined])
      })
    )
  })

  // CVE-2026-21637: what a hook throws must not get out of Node's callback.
  describe("a hook that fails", () => {
    const throwing = (): never => {
      throw new Error("out of order")
    }
    type Hooks = Partial<Tls.ServerOptions>
    const ways: ReadonlyArray<readonly [string, () => Effect.Effect<never, unknown>]> = [
      ["throws", throwing],
      ["fails", () => Effect.fail("out of order")],
      ["dies", () => Effect.die("out of order")],
      ["interrupts itself", () => Effect.interrupt],
      ["fails later", () => Effect.andThen(Effect.sleep("5 millis"), Effect.fail("out of order"))],
      ["never answers", () => Effect.never]
    ]
    const clientIdentity = certificates.available ? certificates.localhost().client : undefined
    const asking: Hooks = { clientCertificate: "require", authorities: authority.certificate }
    let failing = true
    const once = <A>(bad: () => A, good: () => A) => (failing ? bad() : good())
    const hooks: ReadonlyArray<readonly [string, (bad: () => Effect.Effect<never, unknown>) => Hooks]> = [
      [
        "selectIdentity",
        (bad) => ({
          selectIdentity: () =>
            once<Effect.Effect<Tls.Identity | undefined, unknown>>(bad, () => Effect.succeed(undefined))
        })
      ],
      [
        "verifyPeer",
        (bad) => ({ ...asking, verifyPeer: () => once<Effect.Effect<void, unknown>>(bad, () => Effect.void) })
      ],
      [
        "the source",
        (bad) => ({
          identity: {
            identities: Effect.suspend(() =>
              once<Effect.Effect<ReadonlyArray<Tls.Identity>, unknown>>(bad, () =>
                Effect.succeed([certificates.localhost().server])
              )
            )
          }
        })
      ]
    ]
    for (const [hook, options] of hooks) {
      for (const [way, bad] of ways) {
        live(
          `${hook} ${way}: this connection ends, and the next one is served`,
          Effect.gen(function* () {
            const lines: Array<string> = []
            failing = false
            const { port } = yield* serve({ handshakeTimeout: "200 millis", ...options(bad) }).pipe(
              logged(lines)
            )
            failing = true
            const tls = { identity: clientIdentity, versionMin: "TLSv1.3" } as const
            const exit = yield* Effect.exit(
              Effect.scoped(Effect.flatMap(connect(port, tls), (transport) => Effect.exit(transport.receive)))
            )
            // The client of TLS 1.3 is done before its certificate is looked at.
            if (exit._tag === "Success") assert.strictEqual(exit.value._tag, "Failure")
            failing = false
            yield* echoes(port, tls)
            const told = lines.filter((line) => line.includes("a TLS handshake failed"))
            assert.strictEqual(told.length, 1, lines.join("\n"))
            assert.match(told[0]!, way === "never answers" ? /^Debug .*TimedOut/ : /^Warn /)
            assert.match(told[0]!, /127\.0\.0\.1:\d+/)
          })
        )
      }
    }

    for (const [way, selectAlpn] of [
      ["throws", throwing],
      ["chooses what was not offered", () => "smtp"],
      ["returns no string", () => 7 as unknown as string]
    ] as const) {
      live(
        `selectAlpn ${way}`,
        Effect.gen(function* () {
          const lines: Array<string> = []
          const { port } = yield* serve({ selectAlpn }).pipe(logged(lines))
          const { reason } = yield* Effect.flip(connect(port, { alpn: ["h2"] }))
          assert.include(["HandshakeFailed", "Reset"], reason._tag)
          yield* echoes(port)
          const told = lines.filter((line) => line.includes("a TLS handshake failed"))
          assert.match(told.join("\n"), /^Warn .*selectAlpn failed/)
          assert.strictEqual(told.length, 1)
        })
      )
    }
  })

  live(
    "selectAlpn chooses, with what the client said; undefined is no_application_protocol",
    Effect.gen(function* () {
      const hellos: Array<Tls.ClientHello> = []
      const { port } = yield* serve({
        alpn: ["never", "looked", "at"],
        selectAlpn: (hello) => {
          hellos.push(hello)
          return hello.alpn.find((name) => name === "b")
        }
      })
      assert.strictEqual((yield* echoes(port, { alpn: ["a", "b"] })).alpn, "b")
      const { reason } = yield* Effect.flip(connect(port, { alpn: ["c"] }))
      assert.strictEqual(reason.errno, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
      assert.isUndefined((yield* echoes(port)).alpn)
      assert.deepStrictEqual(hellos, [
        { serverName: "localhost", alpn: ["a", "b"] },
        { serverName: "localhost", alpn: ["c"] }
      ])
    })
  )

  describe("verifyPeer", () => {
    live(
      "of a client has the last word, on a port and after a resumed handshake; a rejection is typed",
      Effect.gen(function* () {
        const peers: Array<Tls.PeerCertificate> = []
        const { port } = yield* serve()
        const verifyPeer = (peer: Tls.PeerCertificate) => Effect.asVoid(Effect.sync(() => peers.push(peer)))
        const options: Tls.ClientOptions = {
          authorities: authority.certificate,
          serverName: "localhost",
          verifyPeer
        }
        const resumed = [(yield* echoes(port, options)).resumed, (yield* echoes(port, options)).resumed]
        assert.deepStrictEqual(resumed, [false, true])
        for (const { certificate, serverName, verified } of peers) {
          assert.strictEqual(
            Buffer.from(certificate).toString("base64"),
            der(certificates.localhost().server)
          )
          assert.deepStrictEqual([verified, serverName], [true, "localhost"])
        }
        assert.strictEqual(peers.length, 2)
        for (const bad of [Effect.fail("pinned to another"), Effect.die("pinned to another")]) {
          const { reason } = yield* Effect.flip(connect(port, { verifyPeer: () => bad }))
          assert.strictEqual(reason._tag, "CertificateRejected")
          assert.strictEqual(reason.cause, "pinned to another")
        }
        const never = { verifyPeer: () => Effect.never, handshakeTimeout: "100 millis" } as const
        assert.strictEqual((yield* Effect.flip(connect(port, never))).reason._tag, "TimedOut")
        yield* echoes(port)
      })
    )

    live(
      "of a server sees the certificate and whether it was verified; nobody's is not asked about",
      Effect.gen(function* () {
        const stranger = certificates.authority("Somebody else").issue({ names: ["a stranger"] })
        const { client } = certificates.localhost()
        const seen = yield* Deferred.make<Tls.PeerCertificate>()
        const { port } = yield* serve({
          clientCertificate: "request",
          authorities: authority.certificate,
          verifyPeer: (peer) =>
            Effect.andThen(
              Effect.yieldNow,
              peer.verified ? Effect.asVoid(Deferred.succeed(seen, peer)) : Effect.fail("who?")
            )
        })
        yield* echoes(port)
        yield* echoes(port, { identity: client })
        const { certificate, verified } = yield* Deferred.await(seen)
        assert.isTrue(verified)
        assert.strictEqual(Buffer.from(certificate).toString("base64"), der(client))
        const heard = yield* Effect.exit(
          Effect.scoped(
            Effect.gen(function* () {
              const transport = yield* connect(port, { identity: stranger })
              yield* transport.send("let me in")
              return yield* transport.receive
            })
          )
        )
        assert.strictEqual(heard._tag, "Failure")
      })
    )

    live(
      "what a client says before verifyPeer is done is not lost",
      Effect.gen(function* () {
        const { client } = certificates.localhost()
        const { port } = yield* serve({
          clientCertificate: "require",
          authorities: authority.certificate,
          verifyPeer: () => Effect.sleep("30 millis")
        })
        yield* echoes(port, { identity: client })
      })
    )
  })

  describePeer(openssl, (command) => {
    const sClient = (port: number, ...args: ReadonlyArray<string>) =>
      Child.run(command, ["s_client", "-connect", `${local}:${port}`, ...args])

    live(
      "OpenSSL hears the alerts: unrecognized_name, no_application_protocol",
      Effect.gen(function* () {
        const { port } = yield* serve({ identity: [a, b], unknownServerName: "refuse", alpn: ["x"] })
        for (const version of ["-tls1_2", "-tls1_3"]) {
          const unknown = yield* sClient(port, "-servername", "c.example", version)
          assert.match(unknown.stderr, /alert number 112|unrecognized name/)
          const mismatch = yield* sClient(port, "-servername", "a.example", "-alpn", "y,z", version)
          assert.match(mismatch.stderr, /alert number 120|no application protocol/)
          const match = yield* sClient(port, "-servername", "A.EXAMPLE", "-alpn", "y,x", version)
          assert.match(match.stdout, /ALPN protocol: x/)
          assert.match(match.stdout, /subject=CN = a\.example/)
        }
        const nameless = yield* sClient(port, "-noservername")
        assert.match(nameless.stdout, /subject=CN = a\.example/)
      })
    )
  })
})
