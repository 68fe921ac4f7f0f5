/** `echo.ts`, `line-echo.ts` and `udp-echo.ts`, with `nc` and `socat`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { describePeer, netcat, socat } from "../support/peers.ts"
import { argumentsOf, start, stops } from "./start.ts"

const host = "127.0.0.1"

describe("echo.ts", () => {
  describePeer(netcat, (nc) => {
    it.live("sends back what comes, until the end of input", () =>
      Effect.gen(function* () {
        const { port } = yield* start("echo.ts")
        const { code, stdout } = yield* Child.run(nc, ["-N", host, port], { input: "a\nb" })
        assert.deepStrictEqual([code, stdout], [0, "a\nb"])
      })
    )

    it.live("stops on Ctrl-C, even if a client stays", () =>
      Effect.gen(function* () {
        const { child, port } = yield* start("echo.ts")
        const idle = yield* Child.spawn(nc, [host, port])
        yield* idle.write("still here\n")
        yield* idle.says(/still here/)
        yield* stops(child, 2_000)
        yield* idle.ended
      })
    )
  })

  describePeer(socat, (path) => {
    it.live("keeps the order of more than fits in any buffer", () =>
      Effect.gen(function* () {
        const { port } = yield* start("echo.ts")
        const input = Array.from({ length: 300_000 }, (_, i) => `${i}\n`).join("")
        const { stdout } = yield* Child.run(path, ["-t", "10", "-", `TCP:${host}:${port}`], { input })
        assert.isTrue(stdout === input)
      })
    )
  })

  it.live("says why it cannot run", () =>
    Effect.gen(function* () {
      const { port } = yield* start("echo.ts")
      const run = (PORT: string) => Child.run(process.execPath, argumentsOf("echo.ts"), { env: { PORT } })
      const [taken, bad] = yield* Effect.all([run(port), run("x")], { concurrency: 2 })
      assert.strictEqual(taken.code, 1)
      assert.match(
        taken.stdout,
        new RegExp(`cannot listen on tcp:${port}:.*: somebody already listens there`)
      )
      assert.strictEqual(bad.code, 1)
      assert.match(bad.stdout, /PORT/)
    })
  )
})

describe("line-echo.ts", () => {
  describePeer(netcat, (nc) => {
    it.live("sends lines back, and says what is wrong with bad ones", () =>
      Effect.gen(function* () {
        const { child, port } = yield* start("line-echo.ts")
        const ask = (input: string) =>
          Effect.map(Child.run(nc, ["-N", host, port], { input }), ({ stdout }) => stdout)
        const longest = "x".repeat(1_024)
        assert.strictEqual(yield* ask(`one\r\n\n${longest}\n`), `one\n\n${longest}\n`)
        assert.strictEqual(
          yield* ask(`one\n${longest}x\ntwo\n`),
          "one\nerror: a frame of more than 1,024 bytes, the limit\n"
        )
        assert.strictEqual(
          yield* ask("one\ntw"),
          "one\nerror: the input ended inside a frame, after 2 bytes of it\n"
        )
        yield* stops(child, 2_000)
      })
    )
  })

  describePeer(socat, (path) => {
    it.live("answers a line before the next one comes", () =>
      Effect.gen(function* () {
        const { port } = yield* start("line-echo.ts")
        const client = yield* Child.spawn(path, ["-", `TCP:${host}:${port}`])
        yield* client.write("one\ntw")
        yield* client.says(/^one\n$/)
        yield* client.write("o\n")
        yield* client.says(/^one\ntwo\n$/)
      })
    )
  })
})

describe("udp-echo.ts", () => {
  describePeer(netcat, (nc) => {
    it.live("sends each datagram back to whom it came from", () =>
      Effect.gen(function* () {
        const { child, port } = yield* start("udp-echo.ts")
        const [a, b] = [
          yield* Child.spawn(nc, ["-u", host, port]),
          yield* Child.spawn(nc, ["-u", host, port])
        ]
        yield* a.write("from a\n")
        yield* a.says(/^from a\n$/)
        yield* b.write("from b\n")
        yield* b.says(/^from b\n$/)
        yield* a.write("again\n")
        yield* a.says(/^from a\nagain\n$/)
        yield* stops(child, 1_000)
      })
    )
  })

  describePeer(socat, (path) => {
    it.live("sends long datagrams back whole", () =>
      Effect.gen(function* () {
        const { port } = yield* start("udp-echo.ts")
        const input = "x".repeat(8_192)
        const { stdout } = yield* Child.run(path, ["-t", "0.5", "-", `UDP4:${host}:${port}`], { input })
        assert.strictEqual(stdout, input)
      })
    )
  })
})
