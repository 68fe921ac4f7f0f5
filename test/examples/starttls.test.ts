/** `starttls-echo.ts`, with `nc`, `openssl s_client`, and an attacker. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { describePeer, netcat, openssl } from "../support/peers.ts"
import { temporaryDirectory } from "./gateway/fixtures/temporaryDirectory.ts"
import { connect, readAll, start, stops } from "./start.ts"

const file = "starttls-echo.ts"
const greeting = "+OK STLS begins TLS\r\n"

/** Speaks POP3's STARTTLS, checks the certificate, and has a line echoed. */
const echoes = Effect.fnUntraced(function* (client: string, port: string, authority: string) {
  const checked = `-CAfile ${authority} -verify_return_error -verify_hostname localhost`
  const options = `s_client -crlf -starttls pop3 -connect 127.0.0.1:${port} ${checked}`
  const tls = yield* Child.spawn(client, options.split(" "))
  yield* tls.says(/Verify return code: 0 \(ok\)/)
  yield* tls.write("under the seal\n")
  yield* tls.says(/^under the seal\r$/m)
  yield* tls.end
  yield* tls.ended
})

describe("starttls-echo.ts", () => {
  describePeer(openssl, (client) => {
    it.live("changes to TLS, with a certificate of ours", () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const { authority, server } = certificates.localhost()
        const write = (name: string, text: string): string => {
          fs.writeFileSync(path.join(directory, name), text)
          return path.join(directory, name)
        }
        const env = { CERT: write("cert.pem", server.certificate), KEY: write("key.pem", server.privateKey) }
        const { child, port } = yield* start(file, { cwd: directory, env })
        yield* echoes(client, port, write("ca.pem", authority.certificate))
        assert.isFalse(fs.existsSync(path.join(directory, "data")))
        yield* stops(child, 3_000)
      })
    )

    it.live("changes to TLS, with a certificate of its own, which it keeps", () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryDirectory
        const authority = path.join(cwd, "data/self-signed.pem")
        const first = yield* start(file, { cwd })
        const made = fs.readFileSync(authority, "utf8")
        assert.strictEqual(fs.statSync(authority).mode & 0o777, 0o600)
        yield* stops(first.child, 1_000)
        const { port } = yield* start(file, { cwd })
        assert.strictEqual(fs.readFileSync(authority, "utf8"), made)
        yield* echoes(client, port, authority)
      })
    )
  })

  describePeer(netcat, (nc) => {
    it.live("echoes in plaintext until then", () =>
      Effect.gen(function* () {
        const { port } = yield* start(file, { cwd: yield* temporaryDirectory })
        const { stdout } = yield* Child.run(nc, ["-N", "127.0.0.1", port], { input: "a\r\nstls?\r\n" })
        assert.strictEqual(stdout, `${greeting}a\r\nstls?\r\n`)
      })
    )
  })

  it.live("refuses plaintext that is slipped in behind STLS", () =>
    Effect.gen(function* () {
      const { child, port } = yield* start(file, { cwd: yield* temporaryDirectory })
      const attacker = yield* connect(port)
      attacker.write("a\r\nSTLS\r\nslipped in\r\n")
      assert.strictEqual(yield* readAll(attacker), `${greeting}a\r\n-ERR something follows STLS\r\n`)
      // The others go on.
      const next = yield* connect(port)
      next.end("b\r\n")
      assert.strictEqual(yield* readAll(next), `${greeting}b\r\n`)
      yield* stops(child, 1_000)
    })
  )

  it.live("closes a connection that goes on without TLS", () =>
    Effect.gen(function* () {
      const { port } = yield* start(file, { cwd: yield* temporaryDirectory })
      const attacker = yield* connect(port)
      let text = ""
      attacker.on("data", (bytes: Buffer) => {
        text += bytes.toString("latin1")
        if (text.endsWith("+OK begin TLS\r\n")) attacker.write("slipped in\r\n")
      })
      attacker.write("STLS\r\n")
      yield* readAll(attacker)
      assert.isTrue(text.startsWith(`${greeting}+OK begin TLS\r\n`))
      assert.notInclude(text, "slipped in")
    })
  )
})
