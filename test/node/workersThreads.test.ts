/** Several threads that are one program: the main one accepts, and keeps them alive. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { obstacle } from "../../src/node/NodeThreadFeeds.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import * as Load from "./successionLoad.ts"
import {
  answers,
  gone,
  loopback,
  replace,
  script,
  start,
  status,
  tcp,
  write,
  timeout
} from "./successionProgram.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live.skipIf(obstacle() !== undefined)(name, () => Effect.scoped(test), timeout)

const restart = Effect.fnUntraced(function* (child: Child.Child, pid: number) {
  process.kill(pid, "SIGHUP")
  yield* child.says(new RegExp(`${pid} restarted\n`))
})

describe("threads", () => {
  live(
    "all of them serve, and a rolling restart under load loses nothing",
    Effect.gen(function* () {
      const program = yield* start(() => ({ threads: 2, endpoints: [tcp] }))
      const { child, pid } = program
      const before = yield* status(child, pid)
      const loads = yield* Load.under([{ port: program.port(0) }], 8, (loads) =>
        Effect.gen(function* () {
          yield* answers(loads, 500)
          yield* restart(child, pid)
          yield* answers(loads, 500)
        })
      )
      const after = yield* status(child, pid)
      assert.deepStrictEqual(loads[0]!.lost, [])
      assert.sameMembers(
        [...loads[0]!.by.keys()],
        [...before, ...after].map(({ thread }) => thread)
      )
      for (const { restarts, state } of after)
        assert.deepStrictEqual({ restarts, state }, { restarts: 1, state: "Ready" })
      process.kill(pid, "SIGTERM")
      yield* gone(child, pid)
    })
  )

  if (certificates.available) {
    live(
      "over TLS, too; a session is resumed by any of them",
      Effect.gen(function* () {
        const { authority, server: identity } = certificates.localhost()
        const endpoint = Endpoint.tls({ ...loopback, port: 0, tls: { identity } })
        const program = yield* start(() => ({ threads: 2, endpoints: [endpoint] }))
        const target = { port: program.port(0), ca: authority.certificate, resume: true }
        const loads = yield* Load.under([target], 4, (loads) =>
          Effect.gen(function* () {
            yield* answers(loads, 100)
            yield* restart(program.child, program.pid)
            yield* answers(loads, 100)
          })
        )
        assert.deepStrictEqual(loads[0]!.lost, [])
        assert.strictEqual(loads[0]!.resumed, loads[0]!.answered - 4)
        assert.strictEqual(loads[0]!.by.size, 4)
      })
    )
  }

  live(
    "one that crashes is replaced, and the others go on",
    Effect.gen(function* () {
      const program = yield* start(() => ({ threads: 2, endpoints: [tcp] }))
      const { child, pid } = program
      const before = yield* status(child, pid)
      yield* Load.visit({ port: program.port(0) }, undefined, "crash\n")
      let after = yield* status(child, pid)
      while (
        after.every(({ thread }, i) => thread === before[i]!.thread) ||
        after.some(({ state }) => state !== "Ready")
      ) {
        yield* Effect.sleep("20 millis")
        after = yield* status(child, pid)
      }
      const crashed = after.filter(({ failure }) => failure !== undefined)
      assert.strictEqual(crashed.length, 1)
      assert.match(crashed[0]!.failure!, /crashed, as it was told/)
      const loads = yield* Load.under([{ port: program.port(0) }], 4, (loads) => answers(loads, 20))
      assert.deepStrictEqual(loads[0]!.lost, [])
      assert.sameMembers(
        [...loads[0]!.by.keys()],
        after.map(({ thread }) => thread)
      )
    })
  )

  live(
    "datagrams go to all of them at one port",
    Effect.gen(function* () {
      const program = yield* start(() => ({
        threads: 2,
        endpoints: [],
        udp: [Endpoint.udp({ ...loopback })]
      }))
      const by = new Set<number>()
      // The system spreads them by where they come from.
      while (by.size < 2) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const load = yield* Load.datagrams(program.udpPort(0))
            yield* Effect.repeat(Effect.sleep("5 millis"), { while: () => load.answered < 3 })
            for (const number of load.by.keys()) by.add(number)
          })
        )
      }
    })
  )

  live(
    "the process and all its threads are replaced under load",
    Effect.gen(function* () {
      const program = yield* start(() => ({ threads: 2, endpoints: [tcp] }))
      const { child, pid } = program
      const loads = yield* Load.under([{ port: program.port(0) }], 8, (loads) =>
        Effect.gen(function* () {
          yield* answers(loads, 100)
          yield* replace(child, pid)
          yield* gone(child, pid)
          yield* answers(loads, 100)
        })
      )
      assert.deepStrictEqual(loads[0]!.lost, [])
    })
  )

  live(
    "UNIX sockets are refused",
    Effect.gen(function* () {
      const file = yield* socketPath
      write(file, {
        threads: 1,
        endpoints: [Endpoint.unix({ path: path.join(path.dirname(file), "s.sock") })]
      })
      const { code, stderr } = yield* Child.run(process.execPath, [script, file])
      assert.strictEqual(code, 1)
      assert.match(stderr, /worker 0: .*the connections of a UNIX socket cannot go to other threads/)
    })
  )

  it("an older Node is refused", () => {
    assert.match(obstacle("26.5.9") ?? "", /Node 26\.5\.9 cannot .*26\.6 is needed/)
    assert.isUndefined(obstacle("26.6.0"))
    assert.isUndefined(obstacle("27.0.0"))
  })
})
