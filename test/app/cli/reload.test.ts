/** `spindle reload` and SIGHUP: what is configured changes, connections stay. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as tls from "node:tls"
import * as Certificates from "../../support/certificates.ts"
import * as Spindle from "./spindle.ts"
import { answers, crowd, secureVisitor, visit, visitor } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

const times = 5

describe("a reload", () => {
  live(
    `${times} times under load, loses no connection; what has changed is told, and holds`,
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("c.yaml", "greeting: number 0\ntoken: first\n")
      place.write("local.env", "COUNT=1\n")
      const sources = ["--config", "c.yaml", "--env-file", "local.env"]
      const daemon = yield* Spindle.serve(place, sources, { timeout: 60_000 })
      const staying = yield* visitor(daemon.port)
      const load = yield* crowd(daemon.port, 4, (load) =>
        Effect.gen(function* () {
          for (let i = 1; i <= times; i++) {
            yield* answers(load, 20)
            place.write("c.yaml", `greeting: number ${i}\ntoken: secret ${i}\n`)
            const said = yield* Spindle.says(place, ["reload"])
            assert.match(said, new RegExp(`^reloaded; changed: greeting: number ${i - 1} -> number ${i} `))
            assert.notInclude(said, "secret")
            assert.strictEqual((yield* visit(daemon.port)).greeting, `number ${i}`)
          }
          yield* answers(load, 20)
        })
      )
      assert.deepStrictEqual(load.lost, [])
      assert.deepStrictEqual([...load.by.keys()], [daemon.pid])
      assert.deepInclude(yield* staying.ask, { pid: daemon.pid, greeting: `number ${times}` })

      // The file of variables is read again, too.
      place.write("local.env", "COUNT=2\n")
      assert.match(
        yield* Spindle.says(place, ["reload"]),
        /^reloaded; changed: count: 1 -> 2 \(.*local\.env:1/
      )
      place.write("c.yaml", "greeting: [\n")
      assert.match(yield* Spindle.fails(place, ["reload"], 69), /c\.yaml/)
      assert.strictEqual((yield* staying.ask).greeting, `number ${times}`)
      place.write("c.yaml", "greeting: after all\n")
      yield* daemon.signal("SIGHUP")
      yield* daemon.says(/reloaded: [^\n]*-> after all/)
      assert.strictEqual((yield* staying.ask).greeting, "after all")
    })
  )

  it.live.skipIf(!Certificates.available)(
    "takes new certificates, for those who come from then on",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* Spindle.place
          const authority = Certificates.freshAuthority("reload")
          const issue = (): void => {
            const { certificate, privateKey } = authority.issue({ names: ["localhost"] })
            place.write("tls.pem", privateKey + certificate)
          }
          issue()
          const endpoint = "listen=tls:0:interface=127.0.0.1:privateKey=tls.pem"
          const daemon = yield* Spindle.serve(place, ["--set", endpoint])
          const come = Effect.gen(function* () {
            const { ask, socket } = yield* secureVisitor(daemon.port, authority.certificate)
            yield* ask
            return { ask, serial: (socket as tls.TLSSocket).getPeerCertificate().serialNumber }
          })
          const before = yield* come
          issue()
          assert.strictEqual((yield* come).serial, before.serial)
          assert.strictEqual(yield* Spindle.says(place, ["reload"]), "reloaded; no key has changed\n")
          assert.notStrictEqual((yield* come).serial, before.serial)
          assert.strictEqual((yield* before.ask).pid, daemon.pid)
          // What is no certificate changes nothing.
          place.write("tls.pem", "nothing of the kind")
          assert.match(yield* Spindle.fails(place, ["reload"], 69), /tls\.pem|certificate/)
          yield* come
        })
      ),
    Spindle.testTimeout
  )
})
