/** `sniff.ts`, with `curl`, `openssl s_client` and `nc` on its one port. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { curl, describePeer, netcat, openssl } from "../support/peers.ts"
import { temporaryDirectory } from "./gateway/fixtures/temporaryDirectory.ts"
import { connect, readAll, start, stops } from "./start.ts"

const file = "sniff.ts"

/** Running, with a certificate of ours. */
const running = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const { authority, server } = certificates.localhost()
  const write = (name: string, text: string) => {
    fs.writeFileSync(path.join(directory, name), text, { mode: 0o600 })
    return path.join(directory, name)
  }
  const CERT = write("server.pem", `${server.certificate}${server.privateKey}`)
  const { child, port } = yield* start(file, { cwd: directory, env: { CERT } })
  return { child, port, authority: write("ca.pem", String(authority.certificate)) }
})

describe.skipIf(!certificates.available)("sniff.ts", () => {
  describePeer(openssl, (command) => {
    it.live("echoes under TLS", () =>
      Effect.gen(function* () {
        const { authority, child, port } = yield* running
        const options = `s_client -quiet -verify_return_error -CAfile ${authority} -connect 127.0.0.1:${port}`
        const client = yield* Child.spawn(command, options.split(" "))
        yield* client.write("under the seal\n")
        yield* client.says(/^under the seal$/m)
        yield* stops(child, 3_000)
      })
    )
  })

  describePeer(curl, (command) => {
    it.live("answers HTTP", () =>
      Effect.gen(function* () {
        const { child, port } = yield* running
        const { stdout } = yield* Child.run(command, [
          "-sS",
          "--max-time",
          "5",
          "--noproxy",
          "*",
          `http://127.0.0.1:${port}/`
        ])
        assert.strictEqual(stdout, "hello\n")
        yield* stops(child, 1_000)
      })
    )
  })

  describePeer(netcat, (nc) => {
    it.live("echoes lines", () =>
      Effect.gen(function* () {
        const { port } = yield* running
        const { stdout } = yield* Child.run(nc, ["-N", "127.0.0.1", port], { input: "hello\nGET lost\n" })
        assert.strictEqual(stdout, "hello\nGET lost\n")
      })
    )
  })

  it.live("greets who says nothing, and who says nothing that it knows", () =>
    Effect.gen(function* () {
      const { child, port } = yield* running
      const silent = yield* connect(port)
      const strange = yield* connect(port)
      strange.write(Buffer.from([0, 1, 2]))
      assert.strictEqual(yield* readAll(strange), "220 say something\r\n")
      assert.strictEqual(yield* readAll(silent), "220 say something\r\n")
      yield* stops(child, 1_000)
    })
  )
})
