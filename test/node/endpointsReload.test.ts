/** Descriptions with certificate files, which are read again when the program reloads. */
import * as crypto from "node:crypto"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as References from "effect/References"
import * as NodeReadFiles from "../../src/node/NodeReadFiles.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as Reloads from "../../src/reactor/Reloads.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { layer, type Needs, workshop } from "./endpoints.ts"
import { authority, connect, secured } from "./tlsEcho.ts"

const fingerprint = (certificate: string | Uint8Array) =>
  new crypto.X509Certificate(certificate).fingerprint256

const greet = (transport: Transport) => Effect.andThen(transport.send("hello"), transport.end)

/** The server of a description, and what new clients see there. */
const opened = Effect.fnUntraced(function* (text: string) {
  const endpoint = yield* EndpointDescription.parseServer(text)
  const server = yield* Server.make(endpoint, greet, { drainTimeout: "10 millis" })
  const { port } = inetOf(server.address)
  const visit = (resume: boolean) =>
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* connect(port, { resume })
        // Tickets come with the first bytes.
        yield* transport.receive
        return secured(transport)
      })
    )
  return {
    port,
    shown: Effect.map(visit(false), ({ peerCertificate }) => fingerprint(peerCertificate!)),
    resumed: Effect.map(visit(true), ({ resumed }) => resumed)
  }
})

const reloaded = (name: string, test: Effect.Effect<void, unknown, Needs>) =>
  it.live.skipIf(!certificates.available)(name, () =>
    test.pipe(
      Effect.scoped,
      Effect.provideService(Reloads.Reloads, Reloads.make()),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.provide(layer)
    )
  )

for (const text of ["tls:0:interface=127.0.0.1:TLS", "secured:TLS:tcp:0:interface=127.0.0.1"]) {
  reloaded(
    `key and certificate in two files: ${text}`,
    Effect.gen(function* () {
      const { file } = yield* workshop
      const [first, second] = [1, 2].map(() => authority.issue({ names: ["localhost"] }))
      const key = file("key.pem", first!.privateKey)
      const certificate = file("cert.pem", first!.certificate)
      const { resumed, shown } = yield* opened(
        text.replace("TLS", `privateKey=${key}:certKey=${certificate}`)
      )
      assert.isFalse(yield* resumed)
      yield* Reloads.reload
      assert.isTrue(yield* resumed, "nothing has changed, and the session is lost")
      file("key.pem", second!.privateKey)
      assert.match(
        (yield* Effect.flip(Reloads.reload)).message,
        /cert\.pem and .*key\.pem: it cannot be used/
      )
      assert.strictEqual(yield* shown, fingerprint(first!.certificate))
      file("cert.pem", second!.certificate)
      yield* Reloads.reload
      assert.strictEqual(yield* shown, fingerprint(second!.certificate))
      assert.isFalse(yield* resumed)
    })
  )
}

reloaded(
  "key and certificate in one file, the chain in another",
  Effect.gen(function* () {
    const { file } = yield* workshop
    const [first, second] = [1, 2].map((i) => {
      const between = authority.intermediate(`Between ${i}`)
      return { between, leaf: between.issue({ names: ["localhost"] }) }
    })
    const write = ({ between, leaf }: NonNullable<typeof first>) => ({
      both: file("both.pem", leaf.privateKey + leaf.certificate),
      chain: file("chain.pem", between.certificate)
    })
    const { both, chain } = write(first!)
    const { resumed, shown } = yield* opened(
      `tls:0:interface=127.0.0.1:privateKey=${both}:extraCertChain=${chain}`
    )
    assert.isFalse(yield* resumed)
    yield* Reloads.reload
    assert.isTrue(yield* resumed)
    write(second!)
    yield* Reloads.reload
    // Clients have the root only: the chain came along.
    assert.strictEqual(yield* shown, fingerprint(second!.leaf.certificate))
  })
)

reloaded(
  "a directory, read as the command line reads it",
  Effect.gen(function* () {
    const { directory, file } = yield* workshop
    const [first, second] = [1, 2].map(() => authority.issue({ names: ["localhost"] }))
    file("a.pem", first!.privateKey + first!.certificate)
    const { shown } = yield* Effect.provideService(
      opened(`tls:0:interface=127.0.0.1:certificates=${directory}`),
      FileSystem.FileSystem,
      NodeReadFiles.make
    )
    file("a.pem", second!.privateKey + second!.certificate)
    assert.strictEqual(yield* shown, fingerprint(first!.certificate))
    yield* Reloads.reload
    assert.strictEqual(yield* shown, fingerprint(second!.certificate))
    file("b.pem", second!.certificate.slice(0, 100))
    assert.match((yield* Effect.flip(Reloads.reload)).message, /b\.pem: a CERTIFICATE cannot be used/)
    assert.strictEqual(yield* shown, fingerprint(second!.certificate))
  })
)
