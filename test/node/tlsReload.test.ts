/** Certificates that are read again while servers show them. */
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as NodeIdentities from "../../src/node/NodeIdentities.ts"
import * as NodeTlsReloads from "../../src/node/NodeTlsReloads.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as IdentityFiles from "../../src/reactor/IdentityFiles.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import * as Reloads from "../../src/reactor/Reloads.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { authority, connect, echo, secured, serve } from "./tlsEcho.ts"

const live = (
  name: string,
  test: Effect.Effect<void, unknown, Scope.Scope | Reactor | FileSystem.FileSystem>
) =>
  it.live.skipIf(!certificates.available)(name, () =>
    test.pipe(
      Effect.scoped,
      Effect.provideService(Reloads.Reloads, Reloads.make()),
      Effect.provide(Layer.merge(NodeReactor.layer, NodeFileSystem.layer))
    )
  )

/** A directory with a certificate and its key in files of their own; `write` replaces both, or one. */
const place = Effect.map(socketPath, (socket) => {
  const directory = path.dirname(socket)
  const files = { certificate: path.join(directory, "cert.pem"), privateKey: path.join(directory, "key.pem") }
  return {
    ...files,
    directory,
    files,
    write: (identity: Partial<certificates.Identity>) => {
      if (identity.certificate !== undefined) fs.writeFileSync(files.certificate, identity.certificate)
      if (identity.privateKey !== undefined) fs.writeFileSync(files.privateKey, identity.privateKey)
    }
  }
})

const another = () => authority.issue({ names: ["localhost"] })

const fingerprint = (certificate: string | Uint8Array) =>
  new crypto.X509Certificate(certificate).fingerprint256

/** The certificate that a new client is shown. */
const shown = (port: number) =>
  Effect.scoped(
    Effect.map(connect(port, { resume: false }), (transport) =>
      fingerprint(secured(transport).peerCertificate!)
    )
  )

describe("reload", () => {
  live(
    "new connections get the new certificate, and those that stand go on",
    Effect.gen(function* () {
      const { files, write } = yield* place
      const [first, second] = [another(), another()]
      write(first)
      const { port } = yield* serve({ identity: yield* IdentityFiles.make(files) })
      const standing = yield* connect(port)
      write(second)
      assert.strictEqual(yield* shown(port), fingerprint(first.certificate))
      yield* Reloads.reload
      assert.strictEqual(yield* shown(port), fingerprint(second.certificate))
      yield* standing.send("still")
      assert.strictEqual(Buffer.from(yield* standing.receive).toString(), "still")
    })
  )

  live(
    "what cannot be used is said with its file, and the old one stays",
    Effect.gen(function* () {
      const { files, write } = yield* place
      const [first, second] = [another(), another()]
      write(first)
      const { port } = yield* serve({ identity: yield* IdentityFiles.make(files) })
      const refusal = Effect.map(Effect.flip(Reloads.reload), ({ message }) => message)
      const stays = Effect.map(shown(port), (now) => assert.strictEqual(now, fingerprint(first.certificate)))

      write({ certificate: "nothing of the kind" })
      assert.include(yield* refusal, `${files.certificate}: it has no certificate in PEM form`)
      yield* stays
      write({ certificate: second.certificate })
      assert.match(
        yield* refusal,
        new RegExp(`${files.certificate} and ${files.privateKey}: it cannot be used: .*key`)
      )
      yield* stays
      fs.rmSync(files.privateKey)
      assert.include(yield* refusal, `${files.privateKey}: it cannot be read: it does not exist`)
      yield* stays
      write(second)
      yield* Reloads.reload
      assert.strictEqual(yield* shown(port), fingerprint(second.certificate))
    })
  )

  live(
    "what has not changed is the same: its sessions are resumed",
    Effect.gen(function* () {
      const { files, write } = yield* place
      write(another())
      const { port } = yield* serve({ identity: yield* IdentityFiles.make(files) }, (transport) =>
        Effect.andThen(transport.send("hello"), transport.end)
      )
      const visit = Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* connect(port)
          // Tickets come with the first bytes.
          yield* transport.receive
          return secured(transport).resumed
        })
      )
      assert.isFalse(yield* visit)
      yield* Reloads.reload
      assert.isTrue(yield* visit)
      write(another())
      yield* Reloads.reload
      assert.isFalse(yield* visit)
    })
  )

  live(
    "several identities, chosen by name, and TLS on another endpoint",
    Effect.gen(function* () {
      const [one, other] = [yield* place, yield* place]
      const issue = (name: string) => authority.issue({ names: [name] })
      one.write(issue("one.example"))
      other.write(issue("other.example"))
      const endpoint = Endpoint.secured({
        inner: Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
        tls: { identity: [yield* IdentityFiles.make(one.files), yield* IdentityFiles.make(other.files)] }
      })
      const { address } = yield* Server.make(endpoint, echo, { drainTimeout: "10 millis" })
      const port = Number(String(address).split(":").at(-1))
      const next = issue("other.example")
      other.write(next)
      yield* Reloads.reload
      const shown = yield* Effect.scoped(
        Effect.map(connect(port, {}, "other.example"), (transport) => secured(transport).peerCertificate!)
      )
      assert.strictEqual(fingerprint(shown), fingerprint(next.certificate))
    })
  )

  live(
    "a directory is looked at right away, and what is broken there is said",
    Effect.gen(function* () {
      const { directory, write } = yield* place
      const [first, second] = [another(), another()]
      write(first)
      const { port } = yield* serve({
        identity: yield* NodeIdentities.directory(directory, { rescanInterval: "1 hour" })
      })
      write(second)
      assert.strictEqual(yield* shown(port), fingerprint(first.certificate))
      yield* Reloads.reload
      assert.strictEqual(yield* shown(port), fingerprint(second.certificate))
      fs.writeFileSync(
        path.join(directory, "bad.pem"),
        "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"
      )
      const { failures } = yield* Effect.flip(Reloads.reload)
      assert.strictEqual(failures.length, 1)
      assert.match(failures[0]!.detail, /bad\.pem/)
      assert.strictEqual(yield* shown(port), fingerprint(second.certificate))
    })
  )

  live(
    "TLS that begins later, by a command",
    Effect.gen(function* () {
      const { files, write } = yield* place
      const [first, second] = [another(), another()]
      write(first)
      const tls: Tls.ServerOptions = { identity: yield* IdentityFiles.make(files) }
      yield* NodeTlsReloads.register(tls, "STARTTLS")
      const server = yield* Server.make(
        Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
        (transport) =>
          Effect.flatMap(transport.startTls({ role: "server", tls, unreadIsHello: true }), (secured) =>
            secured.receiveEach(secured.send)
          ),
        { drainTimeout: "10 millis" }
      )
      const { port } = inetOf(server.address)
      assert.strictEqual(yield* shown(port), fingerprint(first.certificate))
      write(second)
      yield* Reloads.reload
      assert.strictEqual(yield* shown(port), fingerprint(second.certificate))
      fs.rmSync(files.certificate)
      assert.match((yield* Effect.flip(Reloads.reload)).message, /^the certificates of STARTTLS: /)
    })
  )

  live(
    "a server that has stopped is left alone",
    Effect.gen(function* () {
      const { files, write } = yield* place
      write(another())
      const identity = yield* IdentityFiles.make(files)
      yield* Effect.scoped(serve({ identity }))
      fs.rmSync(files.certificate)
      yield* Reloads.reload
    })
  )
})
