/** `spindle inetd`, with real programs on real sockets. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { maker } from "../../../src/app/makers/inetd.ts"
import * as NodeProcesses from "../../../src/node/NodeProcesses.ts"
import * as NodeReactor from "../../../src/node/NodeReactor.ts"
import * as NetAddress from "effect/net/NetAddress"
import * as Client from "../../../src/protocol/Client.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { Processes } from "../../../src/reactor/ProcessesService.ts"
import { Reactor } from "../../../src/reactor/Reactor.ts"
import { readAll, world } from "../../memory/pair.ts"
import { children, eventually } from "../../node/processesSupport.ts"
import { type Logged, observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-inetd-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

/** inetd.conf has no port 0: ports that are free now, for TCP and UDP. */
const freePorts = (count: number) =>
  Effect.promise(async () => {
    const servers = await Promise.all(
      Array.from(
        { length: count },
        () =>
          new Promise<net.Server>((resolve) => {
            const server: net.Server = net.createServer().listen(0, "127.0.0.1", () => resolve(server))
          })
      )
    )
    const ports = servers.map((server) => (server.address() as net.AddressInfo).port)
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    return ports
  })

let files = 0
/** A program: a script with that body. */
const script = (body: string): string => {
  const file = path.join(folder, `program${++files}`)
  fs.writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return file
}

const me = String(process.geteuid?.())

const conf = (lines: ReadonlyArray<string>): string => {
  const file = path.join(folder, `inetd${++files}.conf`)
  fs.writeFileSync(file, `${lines.join("\n")}\n`)
  return file
}

/** Runs it on Node until the body ends; nothing is left of it then. */
const inetd = <A, E>(
  lines: ReadonlyArray<string>,
  body: (logs: ReadonlyArray<Logged>) => Effect.Effect<A, E, Reactor | Scope.Scope>
) =>
  observed(({ logs }) =>
    Effect.gen(function* () {
      const running = yield* run(yield* service(maker, ["-f", conf(lines)]))
      const result = yield* Effect.scoped(body(logs))
      yield* running.stop
      assert.deepStrictEqual(children(), [])
      return result
    }).pipe(Effect.scoped, Effect.provide([NodeReactor.layer, NodeProcesses.layer]))
  )

/** All that a server says to who says `request` and ends. */
const ask = (port: number, request = "") =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Client.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
      if (request !== "") yield* client.send(request)
      yield* client.end
      return yield* readAll(client)
    })
  )

const askByDatagram = (port: number, request: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      yield* client.send(request, NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", port))
      return Buffer.from((yield* client.receive)[0]!.bytes).toString()
    })
  )

const warnings = (logs: ReadonlyArray<Logged>) =>
  logs.flatMap(({ level, text }) => (level === "Warn" ? [text.replace(/^.*inetd\d+\.conf:/, "")] : []))

const hasIpv6 = Object.values(os.networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)
const hasFfi = process.getBuiltinModule("node:ffi") !== undefined

describe("inetd", () => {
  it.live("nowait: a program for each connection, which has the socket; internal services beside it", () =>
    Effect.gen(function* () {
      const [upper, odd] = (yield* freePorts(2)) as [number, number]
      const program = script(`
        read line
        echo "$0 $1 $REMOTE_HOST"
        echo "$line" | tr a-z A-Z
        case "$(readlink /proc/self/fd/0)" in socket:*) echo a socket;; esac
        echo to stderr >&2`)
      yield* inetd(
        [
          `127.0.0.1:${upper} stream tcp nowait ${me} ${program} upper one`,
          "nonsense",
          `127.0.0.1:${odd} stream tcp nowait ${me} internal`,
          `127.0.0.1:${odd} stream tcp nowait nobody-at-all ${program}`
        ],
        (logs) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(warnings(logs), [
              "2: skipped: 1 fields where at least 6 belong: service, socket type, protocol, wait or nowait, user, program",
              `3: skipped: "${odd}" is no internal service (echo, discard, chargen, daytime, time, qotd)`,
              '4: skipped: there is no user "nobody-at-all"'
            ])
            const answers = yield* Effect.all([ask(upper, "hello\n"), ask(upper, "all\n")], {
              concurrency: 2
            })
            // A script is told its path, not the name that it goes by.
            assert.deepStrictEqual(
              answers,
              ["HELLO", "ALL"].map((word) => `${program} one 127.0.0.1\n${word}\na socket\nto stderr\n`)
            )
          })
      )
    })
  )

  it.live.skipIf(!hasIpv6)("a line for each family of one port, TCP and UDP, internal and programs", () =>
    Effect.gen(function* () {
      const [port, other] = (yield* freePorts(2)) as [number, number]
      const table = path.join(folder, "services6")
      fs.writeFileSync(table, `echo ${port}/tcp\necho ${port}/udp\n`)
      const program = script("read line; echo $line")
      const file = conf(
        ["", "6"].flatMap((family) => [
          `echo stream tcp${family} nowait ${me} internal`,
          `echo dgram udp${family} wait ${me} internal`,
          ...(hasFfi ? [`${other} dgram udp${family} wait ${me} ${program}`] : []),
          ...(hasFfi ? [`${other} stream tcp${family} wait ${me} ${program}`] : [])
        ])
      )
      yield* Effect.gen(function* () {
        yield* run(yield* service(maker, ["--file", file, "--services", table]))
        assert.strictEqual(yield* ask(port, "hello"), "hello")
        assert.strictEqual(yield* askByDatagram(port, "hello"), "hello")
      }).pipe(Effect.scoped, Effect.provide([NodeReactor.layer, NodeProcesses.layer]))
    })
  )

  it.live.skipIf(process.geteuid?.() === 0)("a group that only root could take is told", () =>
    Effect.gen(function* () {
      const [port] = (yield* freePorts(1)) as [number]
      const error = yield* Effect.flip(
        service(maker, ["-f", conf([`${port} stream tcp nowait ${me}.0 /bin/true`])])
      )
      assert.include(String(error), "only root can start it with the group 0")
    }).pipe(Effect.scoped)
  )

  it.live("internal services by their names in a table, TCP and UDP", () =>
    Effect.gen(function* () {
      const [port] = (yield* freePorts(1)) as [number]
      const table = path.join(folder, "services")
      fs.writeFileSync(table, `echo ${port}/tcp\necho ${port}/udp\n`)
      const file = conf([
        `127.0.0.1:echo stream tcp nowait ${me} internal`,
        `127.0.0.1:echo dgram udp wait ${me} internal`
      ])
      yield* Effect.gen(function* () {
        const made = yield* service(maker, ["--file", file, "--services", table])
        assert.deepStrictEqual(
          made.body._tag === "Group"
            ? made.body.services.map(({ description, name }) => [name, description])
            : [],
          [
            ["echo-tcp", `echo, tcp port ${port}`],
            ["echo-udp", `echo, udp port ${port}`]
          ]
        )
        yield* run(made)
        assert.strictEqual(yield* ask(port, "hello"), "hello")
        assert.strictEqual(yield* askByDatagram(port, "hello"), "hello")
      }).pipe(Effect.scoped, Effect.provide([NodeReactor.layer, NodeProcesses.layer]))
    })
  )

  it.live("above .max connections are closed, which is told once", () =>
    Effect.gen(function* () {
      const [port] = (yield* freePorts(1)) as [number]
      yield* inetd([`127.0.0.1:${port} stream tcp nowait.2 ${me} ${script("echo started")}`], (logs) =>
        Effect.gen(function* () {
          const answers: Array<string> = []
          for (let i = 0; i < 4; i++) answers.push(yield* ask(port))
          assert.deepStrictEqual(answers, ["started\n", "started\n", "", ""])
          assert.deepStrictEqual(
            logs.flatMap(({ level, text }) => (level === "Error" ? [text] : [])),
            ["started 2 times within a minute: connections are closed until that is over"]
          )
        })
      )
    })
  )

  it.live("a program that is not there closes the connection, and is told", () =>
    Effect.gen(function* () {
      const [port] = (yield* freePorts(1)) as [number]
      yield* inetd([`127.0.0.1:${port} stream tcp nowait ${me} /nowhere/at-all`], (logs) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* ask(port), "")
          assert.isTrue(logs.some(({ text }) => text.startsWith("cannot start /nowhere/at-all: ")))
        })
      )
    })
  )

  it.live("its stop ends the programs", () =>
    Effect.gen(function* () {
      const [port] = (yield* freePorts(1)) as [number]
      yield* inetd([`127.0.0.1:${port} stream tcp nowait ${me} ${script("exec sleep 1000")}`], () =>
        Effect.gen(function* () {
          yield* Client.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
          yield* eventually(() => children().length === 1)
        })
      )
    })
  )

  it.runIf(hasFfi)("wait: one program at a time, which accepts or reads itself", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const [stream, dgram] = (yield* freePorts(2)) as [number, number]
        const accepting = path.join(folder, "accepting.cjs")
        fs.writeFileSync(
          accepting,
          `require("node:net").createServer((s) => s.end("by " + process.argv[2], () => process.exit())).listen({ fd: 0 })`
        )
        // Reads one datagram and leaves a mark: sh cannot answer it.
        const mark = path.join(folder, "mark")
        const reading = script(`head -c 5 >> ${mark}; echo >> ${mark}`)
        yield* inetd(
          [
            `127.0.0.1:${stream} stream tcp wait ${me} ${process.execPath} node ${accepting} me`,
            `127.0.0.1:${dgram} dgram udp wait ${me} ${reading}`
          ],
          () =>
            Effect.gen(function* () {
              for (let i = 0; i < 2; i++) assert.strictEqual(yield* ask(stream), "by me")
              const reactor = yield* Reactor
              const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
              const to = NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", dgram)
              for (const text of ["first", "other"]) {
                yield* client.send(text, to)
                yield* eventually(
                  () => fs.existsSync(mark) && fs.readFileSync(mark, "utf8").endsWith(`${text}\n`)
                )
              }
              assert.strictEqual(fs.readFileSync(mark, "utf8"), "first\nother\n")
            })
        )
      })
    )
  )

  it.runIf(me === "0")("another user, where the line says so", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const [port] = (yield* freePorts(1)) as [number]
        const program = "/usr/bin/id"
        yield* inetd([`127.0.0.1:${port} stream tcp nowait 65534.65534 ${program} id -u`], () =>
          Effect.map(ask(port), (said) => assert.strictEqual(said, "65534\n"))
        )
      })
    )
  )

  it.effect("in a network in memory, a program gets pipes", () =>
    observed(() =>
      Effect.gen(function* () {
        const { reactor } = yield* world()
        const made = yield* service(maker, [
          "-f",
          conf([
            `127.0.0.1:80 stream tcp nowait ${me} ${script('read line; echo "got $line"; cat; echo oops >&2')}`
          ])
        ])
        yield* run(made).pipe(Effect.provideService(Reactor, reactor))
        const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 80 }))
        yield* client.send("hello\nand more\n")
        yield* client.end
        const said = yield* readAll(client)
        assert.sameMembers(said.split("\n"), ["got hello", "and more", "oops", ""])
      }).pipe(Effect.provideService(Processes, NodeProcesses.make()))
    )
  )

  it.live("a file without a line of use, or none at all, is a mistake", () =>
    Effect.gen(function* () {
      const file = conf(["# nothing", "nonsense"])
      const errors = yield* Effect.forEach([file, `${file}.no`, conf(["# nothing"])], (file) =>
        Effect.flip(service(maker, ["-f", file]))
      )
      assert.match(errors[0]!.message, /has no line that can be used; the first of them is line 2: 1 fields/)
      assert.match(errors[1]!.message, /^--file: .*\.no: there is no such file$/)
      assert.match(errors[2]!.message, /has no line that can be used$/)
    })
  )
})
