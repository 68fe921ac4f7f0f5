/** Accepting, when things go wrong: no descriptors, defects, resets, a limit. */
import type * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { plainSocket, socketEnd } from "./sockets.ts"

const endpoint = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
const echo = (transport: Transport) => transport.receiveEach(transport.send)

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))

/** Sends and waits for as much to come back; false if the connection is gone instead. */
const talks = (socket: net.Socket): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const done = (answer: boolean) => {
      socket.off("data", yes).off("close", no).off("end", no)
      resume(Effect.succeed(answer))
    }
    const yes = () => done(true)
    const no = () => done(false)
    if (socket.destroyed || socket.readableEnded) return resume(Effect.succeed(false))
    socket.on("data", yes).on("close", no).on("end", no)
    socket.write("x")
  })

const until = (
  server: Server.Server,
  holds: (
    counts: Server.Server["counts"] extends SubscriptionRef.SubscriptionRef<infer A> ? A : never
  ) => boolean
) => SubscriptionRef.changes(server.counts).pipe(Stream.filter(holds), Stream.runHead)

interface Cost {
  readonly cpu: number
  readonly at: number
  readonly open: number
}

describe("out of descriptors", () => {
  it.live(
    "the loop lives and does not spin, connections go on, one line tells, and it recovers",
    () =>
      Effect.gen(function* () {
        const script = path.join(import.meta.dirname, "acceptServer.ts")
        const child = yield* Child.spawn(
          "bash",
          ["-c", 'ulimit -n 64; exec "$0" "$1"', process.execPath, script],
          { timeout: 25_000, env: { NO_COLOR: "1" } }
        )
        const [, port] = yield* child.says(/"port":(\d+)/)
        let asked = 0
        const cost = Effect.gen(function* () {
          yield* child.write("\n")
          const lines = yield* child.says(new RegExp(`(?:^\\{"cpu"[^\\n]*\\n[^]*?){${++asked}}`, "m"))
          const all = lines.input.match(/^\{"cpu".*$/gm)!
          return JSON.parse(all[asked - 1]!) as Cost
        })

        const sockets = yield* Effect.forEach(Array.from({ length: 200 }), () => plainSocket(Number(port)), {
          concurrency: "unbounded"
        })
        const answers = yield* Effect.forEach(sockets, talks, { concurrency: "unbounded" })
        const served = sockets.filter((_, index) => answers[index])
        assert.isAbove(served.length, 10)
        assert.isBelow(served.length, 64)

        // One more, which cannot be served, so that the loop is known to meet it.
        const surplus = yield* plainSocket(Number(port))
        yield* socketEnd(surplus)
        yield* child.says(/WARN.*no descriptor is left/)
        assert.match(child.stdout(), /EMFILE/)

        const before = yield* cost
        assert.strictEqual(before.open, served.length)
        // Real time has to pass, saturated and idle.
        yield* Effect.sleep("2 seconds")
        const after = yield* cost
        assert.isBelow((after.cpu - before.cpu) / (after.at - before.at), 0.2)
        assert.isTrue((yield* Effect.forEach(served, talks)).every((answer) => answer))
        assert.isAtMost(child.stdout().match(/WARN/g)!.length, 3)

        for (const socket of sockets) socket.destroy()
        yield* child.says(/accepts connections again/)
        for (let i = 0; i < 20; i++) {
          assert.isTrue(yield* Effect.scoped(Effect.flatMap(plainSocket(Number(port)), talks)))
        }
        yield* child.end
        const { code, stderr } = yield* child.ended
        assert.deepStrictEqual([code, stderr], [0, ""])
      }).pipe(Effect.scoped),
    30_000
  )
})

/** Collects what is reported and logged from the level Info on. */
const listening = Effect.sync(() => {
  const reports: Array<UnhandledFailure.Report> = []
  const lines: Array<readonly [LogLevel.LogLevel, string]> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push([logLevel, String(message)])
  })
  const provide = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.provideService(UnhandledFailure.Reporter, (report) =>
        Effect.sync(() => void reports.push(report))
      ),
      Effect.provide(Logger.layer([logger]))
    )
  return { reports, lines, provide }
})

describe("one connection", () => {
  live(
    "a defect in it ends that one alone, and is reported once, with its peer",
    Effect.gen(function* () {
      const { provide, reports } = yield* listening
      yield* provide(
        Effect.gen(function* () {
          const server = yield* Server.make(endpoint, (transport) =>
            transport.receiveEach((bytes) => {
              if (bytes[0] === 0x21) throw new Error("a defect")
              return transport.send(bytes)
            })
          )
          const { port } = inetOf(server.address)
          const other = yield* plainSocket(port)
          assert.isTrue(yield* talks(other))
          const bad = yield* plainSocket(port)
          const { localPort } = bad
          bad.write("!")
          yield* socketEnd(bad)
          assert.isTrue(yield* talks(other))
          assert.isTrue(yield* talks(yield* plainSocket(port)))
          yield* until(server, ({ failed, open }) => failed === 1 && open === 2)
          assert.strictEqual(reports.length, 1)
          assert.strictEqual(reports[0]!.peer, `127.0.0.1:${localPort}`)
        })
      )
    })
  )

  live(
    "a peer's reset is no error in the log",
    Effect.gen(function* () {
      const { lines, provide, reports } = yield* listening
      yield* provide(
        Effect.gen(function* () {
          const server = yield* Server.make(endpoint, echo)
          for (let i = 0; i < 20; i++) {
            const socket = yield* plainSocket(inetOf(server.address).port)
            if (i % 2 === 0) assert.isTrue(yield* talks(socket))
            socket.resetAndDestroy()
          }
          yield* until(server, ({ accepted, open }) => accepted >= 10 && open === 0)
          const { failed } = yield* SubscriptionRef.get(server.counts)
          assert.strictEqual(failed, 0)
        })
      )
      assert.deepStrictEqual(reports, [])
      assert.deepStrictEqual(
        lines.filter(([level]) => level !== "Info" && level !== "Debug"),
        []
      )
    })
  )

  live(
    "more than connectionsMax are closed at once, and counted; room is room again",
    Effect.gen(function* () {
      const server = yield* Server.make(endpoint, echo, { connectionsMax: 3 })
      const { port } = inetOf(server.address)
      const taken = yield* Effect.forEach([1, 2, 3], () => plainSocket(port))
      for (const socket of taken) assert.isTrue(yield* talks(socket))
      const surplus = yield* plainSocket(port)
      assert.strictEqual((yield* socketEnd(surplus)).how, "end")
      for (const socket of taken) assert.isTrue(yield* talks(socket))
      taken[0]!.destroy()
      yield* until(server, ({ open, refused }) => open === 2 && refused === 1)
      assert.isTrue(yield* talks(yield* plainSocket(port)))
    })
  )

  live(
    "a protocol that throws before it gives an effect ends that one alone, too",
    Effect.gen(function* () {
      const { provide, reports } = yield* listening
      yield* provide(
        Effect.gen(function* () {
          let runs = 0
          const server = yield* Server.make(endpoint, (transport) => {
            if (runs++ === 0) throw new Error("before any effect")
            return echo(transport)
          })
          const { port } = inetOf(server.address)
          yield* socketEnd(yield* plainSocket(port))
          assert.isTrue(yield* talks(yield* plainSocket(port)))
          assert.strictEqual(reports.length, 1)
        })
      )
    })
  )
})
