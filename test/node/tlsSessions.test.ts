/** Sessions are resumed, and never by anybody else, nor under another name, certificate or rule. */
import * as fs from "node:fs"
import * as path from "node:path"
import type * as net from "node:net"
import * as nodeTls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import { NodeTlsSessions, type Session } from "../../src/node/NodeTlsSessions.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Identities from "../../src/reactor/Identities.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { describePeer, openssl } from "../support/peers.ts"
import { receiveAllText } from "./sockets.ts"
import { authority, client, connect, echo, echoes, live, local, secured, serve, server } from "./tlsEcho.ts"

const tls: Tls.ClientOptions = { authorities: authority.certificate, serverName: "localhost" }

const resumed = (port: number, options?: Tls.ClientOptions) =>
  Effect.map(echoes(port, options), (security) => security.resumed)

/** A server of Node's, for versions that ours cannot be told to stay below. */
const nodeServer = (options: nodeTls.TlsOptions) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<nodeTls.Server>((resume) => {
        const listening = nodeTls.createServer(
          { cert: server.certificate, key: server.privateKey, ...options },
          (socket) => {
            socket.on("error", () => {})
            socket.pipe(socket)
          }
        )
        listening.listen(0, local, () => resume(Effect.succeed(listening)))
      }),
      (listening) => Effect.sync(() => listening.close())
    ),
    (listening) => (listening.address() as net.AddressInfo).port
  )

describe.skipIf(!certificates.available)("sessions", () => {
  live(
    "a client of ours resumes, both sides say so, and know the certificate of then",
    Effect.gen(function* () {
      const seen: Array<Tls.Security> = []
      const { port } = yield* serve(
        { clientCertificate: "require", authorities: authority.certificate },
        (transport) =>
          Effect.andThen(
            Effect.sync(() => seen.push(transport.security)),
            echo(transport)
          )
      )
      const options = { ...tls, identity: client }
      // Two tickets of TLS 1.3 come with a full handshake, each for one connection; Node gives none for a resumed one.
      for (const expected of [false, true, true, false, true]) {
        const security = yield* echoes(port, options)
        assert.deepStrictEqual(
          [
            security.resumed,
            security.peerVerified,
            Buffer.from(security.peerCertificate!).toString("base64")
          ],
          [expected, true, certificates.derOf(server.certificate)]
        )
        const theirs = seen.at(-1)!
        assert.isTrue(theirs._tag === "Tls" && theirs.resumed === expected && theirs.peerVerified)
        if (theirs._tag !== "Tls") continue
        assert.strictEqual(
          Buffer.from(theirs.peerCertificate!).toString("base64"),
          certificates.derOf(client.certificate)
        )
      }
    })
  )

  live(
    "TLS 1.2 as well, and each version says what it is on both sides",
    Effect.gen(function* () {
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const port = yield* nodeServer({ minVersion: version, maxVersion: version })
        const once = Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* connect(port, tls)
            yield* transport.send("x")
            yield* transport.receive
            return secured(transport)
          })
        )
        for (const expected of [false, true, true]) {
          const security = yield* once
          assert.deepStrictEqual(
            [security.protocol, security.resumed, security.peerVerified],
            [version, expected, true]
          )
          assert.match(security.cipher, /^TLS_/)
          assert.strictEqual(
            Buffer.from(security.peerCertificate!).toString("base64"),
            certificates.derOf(server.certificate)
          )
        }
        const told = yield* Deferred.make<Tls.Security>()
        const ours = yield* serve(
          { clientCertificate: "request", authorities: authority.certificate },
          (transport) => Effect.andThen(Deferred.succeed(told, transport.security), echo(transport))
        )
        const theirs = nodeTls.connect({
          port: ours.port,
          host: local,
          servername: "localhost",
          ca: authority.certificate,
          cert: client.certificate,
          key: client.privateKey,
          maxVersion: version
        })
        const security = yield* Deferred.await(told)
        theirs.destroy()
        assert.isTrue(security._tag === "Tls" && security.protocol === version && security.peerVerified)
        assert.isTrue(security._tag === "Tls" && security.cipher.startsWith("TLS_"))
        assert.isTrue(
          security._tag === "Tls" &&
            Buffer.from(security.peerCertificate!).toString("base64") ===
              certificates.derOf(client.certificate)
        )
      }
    })
  )

  live(
    "resume: false neither keeps nor uses a session; nor does who accepts anything",
    Effect.gen(function* () {
      const { port } = yield* serve()
      assert.isFalse(yield* resumed(port, { ...tls, resume: false }))
      assert.isFalse(yield* resumed(port, tls))
      assert.isFalse(yield* resumed(port, { ...tls, resume: false }))
      const careless = { ...tls, insecurelyAcceptAnyCertificate: true }
      for (let round = 0; round < 2; round++) assert.isFalse(yield* resumed(port, careless))
      const insecure = { ...tls, authorities: [], insecurelyAcceptAnyCertificate: true }
      for (let round = 0; round < 2; round++) {
        const security = yield* echoes(port, insecure)
        assert.deepStrictEqual([security.resumed, security.peerVerified], [false, false])
      }
    })
  )

  live(
    "nothing that a session depends on may differ; equal options are equal, whatever object they are",
    Effect.gen(function* () {
      const { port } = yield* serve({
        identity: authority.issue({ names: ["localhost", "other.example", local] })
      })
      const other = certificates.authority("Somebody else")
      const variants: ReadonlyArray<Tls.ClientOptions> = [
        { ...tls, serverName: "other.example" },
        { ...tls, serverName: local },
        { ...tls, authorities: [authority.certificate, other.certificate] },
        { ...tls, identity: client },
        { ...tls, alpn: ["a"] },
        { ...tls, versionMin: "TLSv1.3" },
        { ...tls, ciphers: "TLS_AES_128_GCM_SHA256" }
      ]
      assert.isFalse(yield* resumed(port, tls))
      for (const variant of variants) {
        assert.isFalse(yield* resumed(port, variant), JSON.stringify(Object.keys(variant)))
        assert.isTrue(yield* resumed(port, { ...variant }))
      }
      assert.isTrue(yield* resumed(port, { ...tls }))
      // Trust that was withdrawn is not resumed, but checked.
      const distrusting = { ...tls, authorities: other.certificate }
      const { reason } = yield* Effect.flip(connect(port, distrusting))
      assert.strictEqual(reason._tag, "CertificateRejected")
    })
  )

  live(
    "another host or port is another server, whoever is there; another reactor knows nothing",
    Effect.gen(function* () {
      const shared = { identity: server }
      const one = yield* serve(shared)
      const two = yield* serve(shared)
      assert.isFalse(yield* resumed(one.port, tls))
      assert.isFalse(yield* resumed(two.port, tls))
      const byName = Effect.scoped(
        Effect.gen(function* () {
          const reactor = yield* Reactor
          const transport = yield* reactor.connect(
            Endpoint.tlsClient({ host: "localhost", port: one.port, tls })
          )
          yield* transport.send("x")
          yield* transport.receive
          return secured(transport).resumed
        })
      )
      assert.isFalse(yield* byName)
      assert.isTrue(yield* byName)
      assert.isFalse(yield* Effect.provide(resumed(one.port, tls), NodeReactor.layer, { local: true }))
      assert.isTrue(yield* resumed(one.port, tls))
    })
  )

  live(
    "a new certificate ends the sessions of the old one",
    Effect.gen(function* () {
      const source = yield* Identities.make(server)
      const { port } = yield* serve({ identity: source })
      assert.isFalse(yield* resumed(port, tls))
      assert.isTrue(yield* resumed(port, tls))
      const renewed = authority.issue({ names: ["localhost"] })
      yield* source.replace(renewed)
      const security = yield* echoes(port, tls)
      assert.isFalse(security.resumed)
      assert.strictEqual(
        Buffer.from(security.peerCertificate!).toString("base64"),
        certificates.derOf(renewed.certificate)
      )
    })
  )

  live(
    "after STARTTLS only with a name",
    Effect.gen(function* () {
      const options: Tls.ServerOptions = { identity: server }
      const running = yield* Server.make(
        Endpoint.tcp({ port: 0, interface: local }),
        (plain) => Effect.flatMap(plain.startTls({ role: "server", tls: options, reply: "go\n" }), echo),
        { drainTimeout: "10 millis" }
      )
      const upgraded = (serverName: string | undefined, change: Partial<Tls.ClientOptions> = {}) =>
        Effect.scoped(
          Effect.gen(function* () {
            const reactor = yield* Reactor
            const plain: Transport = yield* reactor.connect(
              Endpoint.tcpClient({ host: local, port: inetOf(running.address).port })
            )
            yield* plain.receive
            const transport = yield* plain.startTls({
              role: "client",
              tls: { ...tls, serverName, ...change }
            })
            yield* transport.end
            yield* receiveAllText(transport)
            return secured(transport).resumed
          })
        )
      assert.isFalse(yield* upgraded("localhost"))
      assert.isTrue(yield* upgraded("localhost"))
      assert.isFalse(yield* upgraded(local))
      assert.isFalse(yield* upgraded("localhost", { resume: false }))
      const nameless = yield* Effect.flip(upgraded(undefined))
      assert.match(String(nameless), /CertificateRejected|altnames|names/)
    })
  )

  describePeer(openssl, (command) => {
    const sClient = (port: number, ...args: ReadonlyArray<string>) =>
      Effect.scoped(
        Effect.gen(function* () {
          const child = yield* Child.spawn(command, ["s_client", "-connect", `${local}:${port}`, ...args])
          yield* child.write("a line\n")
          yield* child.says(/\na line\n/)
          yield* child.end
          return (yield* child.ended).stdout
        })
      )

    live(
      "a client that carries a session to another name, port or rule has to begin anew",
      Effect.gen(function* () {
        const names = ["a.example", "b.example"] as const
        const identities = names.map((name) => authority.issue({ names: [name] }))
        const many = yield* serve({ identity: identities })
        const strict = yield* serve({
          identity: identities,
          clientCertificate: "request",
          authorities: authority.certificate
        })
        const file = path.join(path.dirname(yield* socketPath), "session")
        for (const version of ["-tls1_2", "-tls1_3"]) {
          fs.rmSync(file, { force: true })
          const first = yield* sClient(many.port, "-servername", names[0], version, "-sess_out", file)
          assert.match(first, /New, TLSv1/)
          const other = yield* sClient(many.port, "-servername", names[1], version, "-sess_in", file)
          assert.match(other, /New, TLSv1/, `${version}: another name`)
          assert.match(other, /subject=CN = b\.example/)
          const nowhere = yield* sClient(strict.port, "-servername", names[0], version, "-sess_in", file)
          assert.match(nowhere, /New, TLSv1/, `${version}: another rule`)
          const again = yield* sClient(many.port, "-servername", "A.example", version, "-sess_in", file)
          assert.match(again, /Reused, TLSv1/, version)
        }
      })
    )
  })
})

describe("the cache of sessions", () => {
  const session = (name: string, change: Partial<Session> = {}): Session => ({
    bytes: Buffer.from(name),
    certificate: Buffer.from("certificate"),
    singleUse: true,
    until: 1_000,
    ...change
  })
  const taken = (sessions: NodeTlsSessions, key: string, now = 0) => sessions.take(key, now)?.bytes.toString()

  it("gives each ticket of TLS 1.3 once, the newest first, of each server a few", () => {
    const sessions = new NodeTlsSessions()
    for (let index = 1; index <= 6; index++) sessions.add("key", session(`${index}`))
    assert.deepStrictEqual(
      Array.from({ length: 5 }, () => taken(sessions, "key")),
      ["6", "5", "4", "3", undefined]
    )
    assert.strictEqual(sessions.size, 0)
  })

  it("gives a session of TLS 1.2 as long as there is no newer one", () => {
    const sessions = new NodeTlsSessions()
    sessions.add("key", session("old", { singleUse: false }))
    sessions.add("key", session("new", { singleUse: false }))
    assert.deepStrictEqual([taken(sessions, "key"), taken(sessions, "key")], ["new", "new"])
  })

  it("forgets what is over, and the servers that were not heard of for longest", () => {
    const sessions = new NodeTlsSessions()
    sessions.add("over", session("over"))
    assert.isUndefined(taken(sessions, "over", 1_000))
    assert.strictEqual(sessions.size, 0)
    for (let index = 0; index < 300; index++) {
      sessions.add(`key ${index}`, session(`${index}`))
      sessions.add("kept", session("kept"))
    }
    assert.strictEqual(sessions.size, 256)
    assert.isUndefined(taken(sessions, "key 0"))
    assert.strictEqual(taken(sessions, "kept"), "kept")
    assert.strictEqual(taken(sessions, "key 299"), "299")
  })
})
