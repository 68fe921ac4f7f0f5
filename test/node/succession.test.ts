/** A process that is replaced by another run of its program, under load. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { lockOf } from "../../src/node/UnixLock.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as certificates from "../support/certificates.ts"
import * as Load from "./successionLoad.ts"
import { answers, gone, loopback, replace, start, tcp, timeout } from "./successionProgram.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), timeout)

const isWhole = (loads: ReadonlyArray<Load.Load>, pids: ReadonlyArray<number>) => {
  for (const { by, lost } of loads) {
    assert.deepStrictEqual(lost, [])
    assert.sameMembers([...by.keys()], [...pids])
  }
}

describe("succession", () => {
  live(
    "thousands of connections over TCP and UNIX during two restarts: none is lost",
    Effect.gen(function* () {
      const program = yield* start((directory) => ({
        endpoints: [tcp, Endpoint.unix({ path: path.join(directory, "s.sock") })]
      }))
      const { child } = program
      const file = path.join(program.directory, "s.sock")
      const pids = [program.pid]
      const loads = yield* Load.under([{ port: program.port(0) }, { path: file }], 8, (loads) =>
        Effect.gen(function* () {
          for (let i = 0; i < 2; i++) {
            yield* answers(loads, 350)
            pids.push(yield* replace(child, pids.at(-1)!))
          }
          yield* answers(loads, 350)
        })
      )
      isWhole(loads, pids)
      for (const pid of pids.slice(0, -1)) yield* gone(child, pid)
      assert.strictEqual(fs.readlinkSync(lockOf(file)), String(pids.at(-1)))
      assert.isTrue(fs.statSync(file).isSocket())
      process.kill(pids.at(-1)!, "SIGTERM")
      yield* gone(child, pids.at(-1)!)
      assert.deepStrictEqual(fs.readdirSync(program.directory), ["setting.json"])
    })
  )

  if (certificates.available) {
    live(
      "over TLS, where sessions of the old process are resumed by the new one",
      Effect.gen(function* () {
        const { authority, server: identity } = certificates.localhost()
        const tlsOf = { identity: { ...identity, privateKey: identity.privateKey } }
        const program = yield* start((directory) => ({
          endpoints: [
            Endpoint.tls({ ...loopback, port: 0, tls: tlsOf }),
            Endpoint.secured({
              inner: Endpoint.tcp({ ...loopback, port: 0 }),
              tls: tlsOf
            }),
            Endpoint.unix({ path: path.join(directory, "x.sock") })
          ]
        }))
        const targets = [0, 1].map((i) => ({
          port: program.port(i),
          ca: authority.certificate,
          resume: true
        }))
        const { session } = yield* Load.visit(targets[0]!)
        const pids = [program.pid]
        const loads = yield* Load.under(targets, 4, (loads) =>
          Effect.gen(function* () {
            yield* answers(loads, 100)
            pids.push(yield* replace(program.child, program.pid))
            yield* answers(loads, 100)
          })
        )
        isWhole(loads, pids)
        // All but the first visit of each client, whoever answered.
        for (const { answered, resumed } of loads) assert.strictEqual(resumed, answered - 4)
        const later = yield* Load.visit(targets[0]!, session)
        assert.strictEqual(later.pid, pids.at(-1))
        assert.isTrue(later.resumed)
      })
    )
  }

  live(
    "datagrams go to one or the other, and each is answered",
    Effect.gen(function* () {
      const program = yield* start(() => ({ endpoints: [], udp: [Endpoint.udp({ ...loopback })] }))
      const load = yield* Load.datagrams(program.udpPort(0))
      const pids = [program.pid]
      const until = (count: number) =>
        Effect.repeat(Effect.sleep("10 millis"), { while: () => load.answered < count })
      for (let i = 0; i < 2; i++) {
        yield* until(load.answered + 100)
        pids.push(yield* replace(program.child, pids.at(-1)!))
        yield* gone(program.child, pids.at(-2)!)
      }
      yield* until(load.answered + 100)
      load.stopSending()
      yield* until(load.sent)
      assert.strictEqual(load.answered, load.sent)
      assert.sameMembers([...load.by.keys()], pids)
    })
  )

  for (const [fate, reason] of [
    ["fail", /not succeeded: Failed: .*no luck/],
    ["die", /not succeeded: Ended: .*SIGKILL/],
    ["hang", /not succeeded: TimedOut: .*not ready within 1s/],
    ["go deaf", /not succeeded: Ended: .*it closed its channel/]
  ] as const) {
    live(
      `a successor that is to ${fate} changes nothing`,
      Effect.gen(function* () {
        const patience = fate === "hang" ? { readyTimeout: 1_000 } : {}
        const endpoints = (directory: string) => [
          tcp,
          Endpoint.unix({ path: path.join(directory, "s.sock") })
        ]
        const program = yield* start((directory) => ({ endpoints: endpoints(directory), ...patience }))
        const { child, directory, pid } = program
        const file = path.join(directory, "s.sock")
        program.change({ endpoints: endpoints(directory), fate })
        const loads = yield* Load.under([{ port: program.port(0) }, { path: file }], 4, (loads) =>
          Effect.gen(function* () {
            yield* answers(loads, 20)
            process.kill(pid, "SIGUSR2")
            yield* child.says(reason)
            yield* answers(loads, 20)
          })
        )
        isWhole(loads, [pid])
        assert.strictEqual(fs.readlinkSync(lockOf(file)), String(pid))
        if (fate === "hang") return
        // The next one is better.
        program.change({ endpoints: endpoints(directory) })
        const successor = yield* replace(child, pid)
        yield* gone(child, pid)
        assert.strictEqual((yield* Load.visit({ path: file })).pid, successor)
        assert.strictEqual((yield* Load.visit({ port: program.port(0) })).pid, successor)
      })
    )
  }

  live(
    "a successor that dies as it takes over leaves everything to its predecessor",
    Effect.gen(function* () {
      const endpoints = (directory: string) => [tcp, Endpoint.unix({ path: path.join(directory, "s.sock") })]
      const program = yield* start((directory) => ({ endpoints: endpoints(directory) }))
      const { child, directory, pid } = program
      const file = path.join(directory, "s.sock")
      program.change({ endpoints: endpoints(directory), fate: "fall" })
      process.kill(pid, "SIGUSR2")
      yield* child.says(/not succeeded: Ended: .*just as it was to begin/)
      assert.strictEqual(fs.readlinkSync(lockOf(file)), String(pid))
      assert.strictEqual((yield* Load.visit({ path: file })).pid, pid)
      assert.strictEqual((yield* Load.visit({ port: program.port(0) })).pid, pid)
      program.change({ endpoints: endpoints(directory) })
      const successor = yield* replace(child, pid)
      yield* gone(child, pid)
      assert.strictEqual((yield* Load.visit({ path: file })).pid, successor)
      process.kill(successor, "SIGTERM")
      yield* gone(child, successor)
      assert.deepStrictEqual(fs.readdirSync(directory), ["setting.json"])
    })
  )

  live(
    "ports of all addresses and of IPv6, and an abstract name",
    Effect.gen(function* () {
      const program = yield* start((directory) => ({
        endpoints: [
          Endpoint.tcp6({ port: 0 }),
          Endpoint.tcp6({ port: 0, interface: "::1", ipv6Only: true }),
          Endpoint.tcp({ port: 0 }),
          ...(process.platform === "linux" ? [Endpoint.unix({ path: `\0${directory}/abstract` })] : [])
        ]
      }))
      const { child, directory, pid } = program
      const [dual, six, four] = [0, 1, 2].map(program.port)
      const targets: ReadonlyArray<Load.Target> = [
        { port: dual! },
        { port: dual!, host: "::1" },
        { port: six!, host: "::1" },
        { port: four! },
        ...(process.platform === "linux" ? [{ path: `\0${directory}/abstract` }] : [])
      ]
      const successor = yield* replace(child, pid)
      yield* gone(child, pid)
      for (const target of targets) assert.strictEqual((yield* Load.visit(target)).pid, successor)
      assert.strictEqual((yield* Load.visit({ port: six! })).failed, "ECONNREFUSED")
      assert.notInclude(child.stdout() + child.stderr(), "cannot be used")
    })
  )

  live(
    "a successor with other endpoints: what both have goes over, the rest ends and begins",
    Effect.gen(function* () {
      const unix = (directory: string, name: string) => Endpoint.unix({ path: path.join(directory, name) })
      const program = yield* start((directory) => ({
        endpoints: [tcp, tcp, unix(directory, "kept.sock"), unix(directory, "left.sock")]
      }))
      const { child, directory, pid } = program
      const [first, second] = [program.port(0), program.port(1)]
      program.change({
        endpoints: [
          tcp,
          unix(directory, "new.sock"),
          { ...unix(directory, "kept.sock"), mode: 0o600 },
          tcp,
          tcp
        ]
      })
      const successor = yield* replace(child, pid)
      yield* gone(child, pid)
      for (const target of [
        { port: first },
        { port: second },
        { path: path.join(directory, "new.sock") },
        { path: path.join(directory, "kept.sock") }
      ]) {
        assert.strictEqual((yield* Load.visit(target)).pid, successor)
      }
      assert.strictEqual(fs.statSync(path.join(directory, "kept.sock")).mode & 0o777, 0o600)
      assert.deepStrictEqual(fs.readdirSync(directory).toSorted(), [
        "kept.sock",
        "kept.sock.lock",
        "new.sock",
        "new.sock.lock",
        "setting.json"
      ])
    })
  )

  live(
    "a predecessor that is killed while its successor starts leaves everything to it",
    Effect.gen(function* () {
      const program = yield* start((directory) => ({
        endpoints: [tcp, Endpoint.unix({ path: path.join(directory, "s.sock") })]
      }))
      const { child, directory, pid } = program
      const file = path.join(directory, "s.sock")
      process.kill(pid, "SIGUSR2")
      const [, successor] = yield* child.says(new RegExp(`\\n(?!${pid})(\\d+) listens 1`))
      process.kill(pid, "SIGKILL")
      yield* child.says(new RegExp(`${successor} ready`))
      assert.strictEqual((yield* Load.visit({ path: file })).pid, Number(successor))
      assert.strictEqual((yield* Load.visit({ port: program.port(0) })).pid, Number(successor))
      assert.strictEqual(fs.readlinkSync(lockOf(file)), successor)
    })
  )
})
