/** OpenSSL's own client against a TLS port. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { describePeer, openssl } from "../support/peers.ts"
import { authority, live, local, serve } from "./tlsEcho.ts"

/** OpenSSL's client, until a line has come back. */
const lastingClient = (command: string, port: number, args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Child.spawn(command, [
        "s_client",
        "-connect",
        `${local}:${port}`,
        "-servername",
        "localhost",
        ...args
      ])
      yield* child.write("a line\n")
      yield* child.says(/\na line\n/)
      yield* child.end
      const { stdout } = yield* child.ended
      return stdout
    })
  )

describePeer(openssl, (command) => {
  /** OpenSSL's client, which leaves once the handshake is over. */
  const sClient = (port: number, args: ReadonlyArray<string>) =>
    Child.run(command, ["s_client", "-connect", `${local}:${port}`, "-servername", "localhost", ...args])

  live(
    "TLS 1.1 is refused, 1.2 and 1.3 work",
    Effect.gen(function* () {
      const { port } = yield* serve()
      const old = yield* sClient(port, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
      assert.notStrictEqual(old.code, 0)
      assert.match(old.stderr, /alert protocol version/)
      for (const [option, name] of [
        ["-tls1_2", "TLSv1.2"],
        ["-tls1_3", "TLSv1.3"]
      ] as const) {
        const stdout = yield* lastingClient(command, port, [option])
        assert.match(stdout, new RegExp(`New, ${name.replace(".", "\\.")}, Cipher is`))
      }
    })
  )

  live(
    "versionMin refuses TLS 1.2 as well",
    Effect.gen(function* () {
      const { port } = yield* serve({ versionMin: "TLSv1.3" })
      const { code, stderr } = yield* sClient(port, ["-tls1_2"])
      assert.notStrictEqual(code, 0)
      assert.match(stderr, /alert protocol version/)
    })
  )

  live(
    "a session is resumed by its ticket",
    Effect.gen(function* () {
      const { port } = yield* serve()
      const file = path.join(path.dirname(yield* socketPath), "session")
      for (const version of ["-tls1_2", "-tls1_3"]) {
        fs.rmSync(file, { force: true })
        // The ticket of TLS 1.3 comes behind the handshake: wait for the echo of a line.
        const first = yield* lastingClient(command, port, [version, "-sess_out", file])
        assert.match(first, /New, TLSv1/)
        const second = yield* lastingClient(command, port, [version, "-sess_in", file])
        assert.match(second, /Reused, TLSv1/, version)
      }
    })
  )

  live(
    "OpenSSL is content with the chain, the name and the ALPN",
    Effect.gen(function* () {
      const { port } = yield* serve({ alpn: ["b", "a"] })
      const file = path.join(path.dirname(yield* socketPath), "ca.pem")
      fs.writeFileSync(file, authority.certificate)
      const args = ["-CAfile", file, "-verify_return_error", "-verify_hostname", "localhost", "-alpn", "a,b"]
      const { code, stdout } = yield* sClient(port, args)
      assert.strictEqual(code, 0, stdout)
      assert.match(stdout, /Verify return code: 0 \(ok\)/)
      assert.match(stdout, /ALPN protocol: b/)
    })
  )
})
