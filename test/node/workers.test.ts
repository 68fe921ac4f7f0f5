/** Several processes that are one program: replaced one by one, and when they die, under load. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { lockOf } from "../../src/node/UnixLock.ts"
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
  it.live(name, () => Effect.scoped(test), timeout)

const unix = (directory: string) => Endpoint.unix({ path: path.join(directory, "s.sock") })

const isWhole = (loads: ReadonlyArray<Load.Load>) => {
  for (const { lost } of loads) assert.deepStrictEqual(lost, [])
}

const rolled = Effect.fnUntraced(function* (child: Child.Child, pid: number) {
  process.kill(pid, "SIGHUP")
  yield* child.says(new RegExp(`${pid} (?:restarted|not restarted: .*)\n`))
})

/** Waits until the worker of a slot is another one, and serves. */
const renewed = Effect.fnUntraced(function* (child: Child.Child, pid: number, slot: number, former: number) {
  for (;;) {
    const worker = (yield* status(child, pid))[slot]!
    if (worker.pid !== former && worker.state === "Ready") return worker
    yield* Effect.sleep("20 millis")
  }
})

describe("workers", () => {
  for (const sharing of ["auto", "one"] as const) {
    live(
      `a rolling restart under load loses nothing (sharing: ${sharing})`,
      Effect.gen(function* () {
        const program = yield* start((directory) => ({
          workers: 2,
          sharing,
          endpoints: [tcp, unix(directory)]
        }))
        const { child, directory, pid } = program
        const before = yield* status(child, pid)
        const file = path.join(directory, "s.sock")
        assert.strictEqual(fs.readlinkSync(lockOf(file)), String(pid))
        const loads = yield* Load.under([{ port: program.port(0) }, { path: file }], 8, (loads) =>
          Effect.gen(function* () {
            yield* answers(loads, 250)
            yield* rolled(child, pid)
            yield* answers(loads, 250)
          })
        )
        isWhole(loads)
        const after = yield* status(child, pid)
        assert.deepStrictEqual(
          after.map(({ failure, restarts, state }) => ({ failure, restarts, state })),
          [0, 1].map(() => ({ failure: undefined, restarts: 1, state: "Ready" as const }))
        )
        for (const [slot, { pid }] of before.entries()) {
          assert.notStrictEqual(after[slot]!.pid, pid)
          yield* gone(child, pid)
        }
        const workers = [...before, ...after].map(({ pid }) => pid)
        assert.includeMembers([...loads[0]!.by.keys()], workers)
        process.kill(pid, "SIGTERM")
        yield* gone(child, pid)
        assert.deepStrictEqual(fs.readdirSync(directory), ["setting.json"])
      })
    )
  }

  live(
    "connections that wait at a worker which is killed are served by the next one",
    Effect.gen(function* () {
      const program = yield* start((directory) => ({ workers: 1, endpoints: [tcp, unix(directory)] }))
      const { child, directory, pid } = program
      const [worker] = yield* status(child, pid)
      process.kill(worker!.pid, "SIGSTOP")
      const targets = [{ port: program.port(0) }, { path: path.join(directory, "s.sock") }]
      const visits = yield* Effect.forEach(
        targets.flatMap((target) => Array.from({ length: 20 }, () => target)),
        (target) => Effect.forkChild(Load.visit(target), { startImmediately: true })
      )
      yield* Effect.sleep("200 millis")
      process.kill(worker!.pid, "SIGKILL")
      const next = yield* renewed(child, pid, 0, worker!.pid)
      assert.match(next.failure ?? "", /SIGKILL/)
      for (const visit of visits) {
        const { failed, pid } = yield* Fiber.join(visit)
        assert.isUndefined(failed)
        assert.strictEqual(pid, next.pid)
      }
    })
  )

  live(
    "one that dies under load is replaced; only what it had accepted is lost",
    Effect.gen(function* () {
      const program = yield* start(() => ({ workers: 2, endpoints: [tcp] }))
      const { child, pid } = program
      const clients = 8
      const [loads] = yield* Load.under([{ port: program.port(0) }], clients, (loads) =>
        Effect.gen(function* () {
          for (let slot = 0; slot < 2; slot++) {
            yield* answers(loads, 100)
            const worker = (yield* status(child, pid))[slot]!
            process.kill(worker.pid, "SIGKILL")
            yield* renewed(child, pid, slot, worker.pid)
          }
          yield* answers(loads, 100)
        })
      )
      // At most one connection of each client was open there at the time.
      assert.isAtMost(loads!.lost.length, 2 * clients)
      assert.strictEqual(loads!.by.size, 4)
    })
  )

  if (certificates.available) {
    live(
      "over TLS: a session is resumed by any of them, after a restart of all, too",
      Effect.gen(function* () {
        const { authority, server: identity } = certificates.localhost()
        const endpoint = Endpoint.tls({ ...loopback, port: 0, tls: { identity } })
        const program = yield* start(() => ({ workers: 2, endpoints: [endpoint] }))
        const target = { port: program.port(0), ca: authority.certificate, resume: true }
        const loads = yield* Load.under([target], 4, (loads) =>
          Effect.gen(function* () {
            yield* answers(loads, 100)
            yield* rolled(program.child, program.pid)
            yield* answers(loads, 100)
          })
        )
        isWhole(loads)
        assert.strictEqual(loads[0]!.resumed, loads[0]!.answered - 4)
        assert.strictEqual(loads[0]!.by.size, 4)
      })
    )
  }

  if (certificates.available) {
    live(
      "certificates are read again by all of them, under load; what cannot be is said, and changes nothing",
      Effect.gen(function* () {
        const { authority } = certificates.localhost()
        const file = (directory: string, name: string) => path.join(directory, name)
        const program = yield* start((directory) => {
          const certified = file(directory, "both.pem")
          const { certificate, privateKey } = authority.issue({ names: ["localhost"] })
          fs.writeFileSync(certified, certificate + privateKey)
          return { workers: 2, endpoints: [], certified }
        })
        const { child, directory, pid } = program
        const target = { port: program.port(0), ca: authority.certificate, resume: false }
        const next = authority.issue({ names: ["localhost", "later.example"] })
        const shown = Effect.map(
          Effect.all(Array.from({ length: 16 }, () => Load.visit(target))),
          (visits) => new Set(visits.map(({ names }) => names))
        )
        const loads = yield* Load.under([target], 4, (loads) =>
          Effect.gen(function* () {
            fs.writeFileSync(file(directory, "both.pem"), next.certificate)
            yield* rolled(child, pid)
            assert.deepStrictEqual([...(yield* shown)], ["DNS:localhost"])
            fs.writeFileSync(file(directory, "both.pem"), next.certificate + next.privateKey)
            process.kill(pid, "SIGHUP")
            yield* child.says(new RegExp(`${pid} restarted\n`))
            assert.deepStrictEqual([...(yield* shown)], ["DNS:localhost, DNS:later.example"])
            yield* answers(loads, 20)
          })
        )
        isWhole(loads)
        assert.match(
          child.stdout(),
          /not restarted: NotReloaded: .*both\.pem: it has no private key in PEM form/
        )
      })
    )
  }

  live(
    "datagrams during a rolling restart are all answered",
    Effect.gen(function* () {
      const program = yield* start(() => ({
        workers: 2,
        endpoints: [],
        udp: [Endpoint.udp({ ...loopback })]
      }))
      const load = yield* Load.datagrams(program.udpPort(0))
      const until = (count: number) =>
        Effect.repeat(Effect.sleep("10 millis"), { while: () => load.answered < count })
      yield* until(100)
      yield* rolled(program.child, program.pid)
      yield* until(load.answered + 100)
      load.stopSending()
      yield* until(load.sent)
      assert.strictEqual(load.answered, load.sent)
      // All come from one address, and so to one slot.
      assert.isAtLeast(load.by.size, 2)
    })
  )

  live(
    "a worker that cannot start stops a rolling restart, and the old one stays",
    Effect.gen(function* () {
      const program = yield* start(() => ({ workers: 2, endpoints: [tcp] }))
      const { child, pid } = program
      const before = yield* status(child, pid)
      program.change({ workers: 2, endpoints: [tcp], fate: "fail" })
      const loads = yield* Load.under([{ port: program.port(0) }], 4, (loads) =>
        Effect.gen(function* () {
          yield* answers(loads, 20)
          yield* rolled(child, pid)
          yield* answers(loads, 20)
        })
      )
      isWhole(loads)
      assert.match(child.stdout(), /not restarted: NotReplaced: worker 0: .*no luck/)
      const after = yield* status(child, pid)
      assert.deepStrictEqual(
        after.map(({ pid, state }) => ({ pid, state })),
        before.map(({ pid }) => ({ pid, state: "Ready" as const }))
      )
    })
  )

  live(
    "the manager and all its workers are replaced under load",
    Effect.gen(function* () {
      const program = yield* start((directory) => ({ workers: 2, endpoints: [tcp, unix(directory)] }))
      const { child, directory, pid } = program
      const file = path.join(directory, "s.sock")
      program.change({ workers: 3, endpoints: [tcp, unix(directory)] })
      let successor = 0
      const loads = yield* Load.under([{ port: program.port(0) }, { path: file }], 8, (loads) =>
        Effect.gen(function* () {
          yield* answers(loads, 100)
          successor = yield* replace(child, pid)
          yield* gone(child, pid)
          yield* answers(loads, 200)
        })
      )
      isWhole(loads)
      assert.strictEqual(fs.readlinkSync(lockOf(file)), String(successor))
      const workers = yield* status(child, successor)
      assert.includeMembers(
        [...loads[0]!.by.keys()],
        workers.map(({ pid }) => pid)
      )
    })
  )

  live(
    "a program with workers is succeeded by one without, and the other way round",
    Effect.gen(function* () {
      const endpoints = (directory: string) => [tcp, unix(directory)]
      const program = yield* start((directory) => ({ workers: 2, endpoints: endpoints(directory) }))
      const { child, directory, pid } = program
      const file = path.join(directory, "s.sock")
      program.change({ endpoints: endpoints(directory) })
      const alone = yield* replace(child, pid)
      yield* gone(child, pid)
      assert.strictEqual((yield* Load.visit({ path: file })).pid, alone)
      assert.strictEqual((yield* Load.visit({ port: program.port(0) })).pid, alone)
      assert.strictEqual(fs.readlinkSync(lockOf(file)), String(alone))
      program.change({ workers: 2, endpoints: endpoints(directory) })
      const manager = yield* replace(child, alone)
      yield* gone(child, alone)
      const workers = (yield* status(child, manager)).map(({ pid }) => pid)
      assert.include(workers, (yield* Load.visit({ path: file })).pid)
      assert.include(workers, (yield* Load.visit({ port: program.port(0) })).pid)
      assert.strictEqual(fs.readlinkSync(lockOf(file)), String(manager))
    })
  )

  live(
    "fewer workers than before, none, threads: under load, and nothing is lost",
    Effect.gen(function* () {
      const shape = { endpoints: [tcp], udp: [Endpoint.udp({ ...loopback })] }
      const program = yield* start(() => ({ workers: 3, ...shape }))
      const { child } = program
      let { pid } = program
      const datagrams = yield* Load.datagrams(program.udpPort(0))
      const loads = yield* Load.under([{ port: program.port(0) }], 8, (loads) =>
        Effect.gen(function* () {
          for (const workers of [1, undefined]) {
            program.change({ ...shape, ...(workers === undefined ? {} : { workers }) })
            yield* answers(loads, 100)
            const successor = yield* replace(child, pid)
            yield* gone(child, pid)
            pid = successor
            yield* answers(loads, 100)
          }
          datagrams.stopSending()
          yield* Effect.repeat(Effect.sleep("10 millis"), {
            while: () => datagrams.answered < datagrams.sent
          })
          program.change({ ...shape, threads: 1 })
          const successor = yield* replace(child, pid)
          yield* gone(child, pid)
          pid = successor
          yield* answers(loads, 100)
        })
      )
      isWhole(loads)
    })
  )

  live(
    "one socket for all becomes one for each, and the other way round; abstract names go along",
    Effect.gen(function* () {
      const endpoints = (directory: string) => [
        tcp,
        ...(process.platform === "linux" ? [Endpoint.unix({ path: `\0${directory}/abstract` })] : [])
      ]
      const udp = [Endpoint.udp({ ...loopback })]
      const program = yield* start((directory) => ({
        workers: 2,
        sharing: "one",
        endpoints: endpoints(directory),
        udp
      }))
      const { child, directory } = program
      let { pid } = program
      for (const [workers, sharing] of [
        [3, "auto"],
        [2, "one"]
      ] as const) {
        program.change({ workers, sharing, endpoints: endpoints(directory), udp })
        const successor = yield* replace(child, pid)
        yield* gone(child, pid)
        pid = successor
        const ours = (yield* status(child, pid)).map(({ pid }) => pid)
        assert.strictEqual(ours.length, workers)
        for (const target of [
          { port: program.port(0) },
          ...(process.platform === "linux" ? [{ path: `\0${directory}/abstract` }] : [])
        ]) {
          assert.include(ours, (yield* Load.visit(target)).pid)
        }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const load = yield* Load.datagrams(program.udpPort(0))
            yield* Effect.repeat(Effect.sleep("5 millis"), { while: () => load.answered < 3 })
            assert.includeMembers(ours, [...load.by.keys()])
          })
        )
      }
      assert.notInclude(child.stdout() + child.stderr(), "cannot be used")
    })
  )

  live(
    "those that die again and again fail",
    Effect.gen(function* () {
      const program = yield* start(() => ({ workers: 2, restarts: 1, endpoints: [tcp] }))
      const { child, pid } = program
      const [first, second] = yield* status(child, pid)
      process.kill(first!.pid, "SIGKILL")
      yield* renewed(child, pid, 0, first!.pid)
      process.kill(second!.pid, "SIGKILL")
      yield* child.says(/failed: IntensityExceeded: worker 1: .*\(1 times in 1m\).*SIGKILL/)
      assert.strictEqual((yield* child.ended).code, 1)
    })
  )

  live(
    "what keeps the first ones from starting is said: their own failure, a port in use",
    Effect.gen(function* () {
      const file = yield* socketPath
      const other = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = other.address() as net.AddressInfo
      write(file, { workers: 2, endpoints: [tcp], fate: "fail" })
      const failing = yield* Child.run(process.execPath, [script, file])
      assert.strictEqual(failing.code, 1)
      assert.match(failing.stderr, /worker \d: .*no luck/)
      write(file, { workers: 2, endpoints: [Endpoint.tcp({ ...loopback, port })] })
      const refused = yield* Child.run(process.execPath, [script, file])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /worker \d: .*cannot listen on tcp:\d+.*in use/)
    })
  )

  live(
    "workers whose manager is killed end by themselves",
    Effect.gen(function* () {
      const { child, pid } = yield* start(() => ({ workers: 2, endpoints: [tcp] }))
      const workers = yield* status(child, pid)
      process.kill(pid, "SIGKILL")
      for (const worker of workers) yield* gone(child, worker.pid)
    })
  )
})
