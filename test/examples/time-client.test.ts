/** `time-client.ts`, with a server that drops its first connections, and one that comes and goes. */
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Child from "../support/child.ts"
import { argumentsOf, stops } from "./start.ts"

type Answer = (socket: net.Socket) => void

/** Answers each connection as the next of `answers` says, and as the last from then on. */
const serve = (answers: ReadonlyArray<Answer>, port = 0) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly port: number
      readonly connections: () => number
      readonly server: net.Server
    }>((resume) => {
      let connections = 0
      const server = net.createServer((socket) => {
        socket.on("error", () => {})
        const answer = answers[Math.min(connections++, answers.length - 1)]!
        answer(socket)
      })
      server.listen(port, "127.0.0.1", () => {
        const address = server.address() as net.AddressInfo
        resume(Effect.succeed({ port: address.port, connections: () => connections, server }))
      })
    }),
    ({ server }) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const says =
  (seconds: number): Answer =>
  (socket) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(seconds)
    // In two pieces, as a network may bring them.
    socket.write(bytes.subarray(0, 1), () => setImmediate(() => socket.end(bytes.subarray(1))))
  }
const resets: Answer = (socket) => socket.resetAndDestroy()
const saysHalf: Answer = (socket) => socket.end(Buffer.of(1, 2))

const run = (port: number) =>
  Child.spawn(process.execPath, argumentsOf("time-client.ts"), { env: { PORT: String(port) } })

describe("time-client.ts", () => {
  it.live("prints the time, and comes back after connections that were dropped", () =>
    Effect.gen(function* () {
      // RFC 868: 2,629,584,000 is the first of May of 1983, 0 hours.
      const { port, connections } = yield* serve([resets, saysHalf, says(2_629_584_000), says(2_629_584_001)])
      const child = yield* run(port)
      yield* child.says(/^an answer of 2 bytes instead of 4$/m)
      yield* child.says(/^1983-05-01T00:00:00\.000Z\n1983-05-01T00:00:01\.000Z$/m)
      assert.isAtLeast(connections(), 4)
      yield* stops(child, 1_000)
    })
  )

  it.live("outlives its server", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const { child, port } = yield* Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* serve([says(2_629_584_000)])
          const child = yield* Scope.provide(run(port), scope)
          yield* child.says(/^1983/)
          return { child, port }
        })
      )
      // Another one at the same place.
      yield* serve([says(0)], port)
      // 0 is the moment at which the number starts again, in 2036.
      yield* child.says(/^2036-02-07T06:28:16\.000Z$/m)
      yield* stops(child, 1_000)
    })
  )

  it.live("ends at once where it can never work", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Child.run(process.execPath, argumentsOf("time-client.ts"), {
        env: { PORT: "99999" }
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /99999/)
    })
  )
})
