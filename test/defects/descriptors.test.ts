/** C6: out of descriptors, where a connection is more than a socket: TLS and PROXY headers. Plain TCP is in `test/node/accept.test.ts`. */
import * as tls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connected, heard, live, target, tlsAvailable } from "./attack.ts"

interface Cpu {
  readonly cpu: number
  readonly at: number
  readonly loud: ReadonlyArray<string>
}

const securely = (port: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* connected(port)
      const secured = yield* Effect.callback<tls.TLSSocket>((resume) => {
        const secured = tls.connect({ socket, rejectUnauthorized: false }, () =>
          resume(Effect.succeed(secured))
        )
        secured.on("error", () => {})
      })
      secured.write("x")
      return yield* heard(secured)
    })
  )

describe.skipIf(!tlsAvailable)("C6: out of descriptors", () => {
  live(
    "64 of them, 200 clients in handshakes and headers: no crash, no spinning, few words, and it recovers",
    Effect.gen(function* () {
      const attacked = yield* target(["tls", "proxied"], { descriptors: 64 })
      assert.strictEqual(yield* securely(attacked.port("tls")), "x")
      const held = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => index),
        (index) =>
          Effect.tap(connected(attacked.port(index % 2 === 0 ? "tls" : "proxied")), (socket) =>
            Effect.sync(() => socket.write(index % 2 === 0 ? "\x16\x03" : "PROXY "))
          ),
        { concurrency: 20 }
      )
      const cpu = attacked.ask<Cpu>("cpu")
      yield* Effect.repeat(Effect.andThen(Effect.sleep("100 millis"), cpu), {
        until: ({ loud }) => loud.length > 0
      })
      const before = yield* cpu
      // Real time has to pass, saturated and idle.
      yield* Effect.sleep("1500 millis")
      const after = yield* cpu
      assert.isBelow((after.cpu - before.cpu) / (after.at - before.at), 0.2)
      assert.isAtMost(after.loud.length, 4)
      for (const line of after.loud) assert.match(line, /no descriptor is left/)

      for (const socket of held) socket.destroy()
      yield* attacked.quiet
      yield* Effect.repeat(securely(attacked.port("tls")), { times: 9 })
      const socket = yield* connected(attacked.port("proxied"))
      socket.write("PROXY UNKNOWN\r\nx")
      assert.strictEqual(yield* heard(socket), "x")
    })
  )
})
