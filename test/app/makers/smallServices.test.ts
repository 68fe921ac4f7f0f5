/** `spindle echo` and its like, from their command lines. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as TestClock from "effect/testing/TestClock"
import { builtIn } from "../../../src/app/makers/builtIn.ts"
import { UsageError } from "../../../src/app/cli/UsageError.ts"
import * as ServiceMaker from "../../../src/app/ServiceMaker.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { Reactor } from "../../../src/reactor/Reactor.ts"
import { readAll, world } from "../../memory/pair.ts"
import { observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-qotd-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

const load = (name: string) =>
  Effect.map(
    Effect.promise(() => builtIn.find((one) => one.name === name)!.load()),
    ({ maker }) => maker
  )

/** It runs in memory. What is said over TCP to who says `request` and ends, and over UDP to a datagram. */
const serving = Effect.fnUntraced(function* (name: string, args: ReadonlyArray<string> = []) {
  const { network, reactor } = yield* world()
  const made = yield* service(yield* load(name), args)
  yield* Effect.provideService(run(made), Reactor, reactor)
  return {
    made,
    network,
    ask: Effect.fnUntraced(function* (port: number, request = "") {
      const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
      if (request !== "") yield* client.send(request)
      yield* client.end
      return yield* readAll(client)
    }),
    askByDatagram: Effect.fnUntraced(function* (port: number, request: string) {
      const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      yield* client.send(request, NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", port))
      return new TextDecoder().decode((yield* client.receive)[0]!.bytes)
    })
  }
})

describe("what is built in", () => {
  it.live("says of each what its maker says, and is a plugin of the kind `service`", () =>
    Effect.forEach(builtIn, ({ description, load, name }) =>
      Effect.map(Effect.promise(load), ({ maker }) => {
        assert.deepStrictEqual([maker.name, maker.description], [name, description])
        assert.strictEqual(ServiceMaker.kind.validate(maker)._tag, "Success")
      })
    )
  )

  it.effect("says of each small one what to type to try it", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        for (const [name, hint] of [
          ["echo", String.raw`printf 'hello\r\n' | nc 127.0.0.1 7007`],
          ["discard", String.raw`printf 'hello\r\n' | nc 127.0.0.1 7009`],
          ["chargen", "nc 127.0.0.1 7019 </dev/null | head -n 3"],
          ["daytime", "nc 127.0.0.1 7013"],
          ["time", "nc 127.0.0.1 7037 | od -An -tu4 --endian=big"],
          ["qotd", "nc 127.0.0.1 7017"]
        ] as const) {
          yield* Effect.scoped(serving(name))
          assert.strictEqual(logs.findLast(({ text }) => text.startsWith("try it"))?.text, `try it: ${hint}`)
        }
      })
    )
  )

  it("what is no maker is told", () => {
    for (const value of [undefined, {}, { [ServiceMaker.TypeId]: ServiceMaker.TypeId }, "echo"]) {
      assert.strictEqual(ServiceMaker.kind.validate(value)._tag, "Failure")
    }
  })

  it("their list loads none of them", () => {
    const text = fs.readFileSync(path.join(import.meta.dirname, "../../../src/app/makers/builtIn.ts"), "utf8")
    assert.deepStrictEqual(text.match(/^import .*$/gm), [
      'import type * as ServiceMaker from "../ServiceMaker.ts"'
    ])
  })
})

describe("the small services", () => {
  it.effect("on loopback by default, TCP and UDP", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 2, 4, 5, 6, 7))
      for (const [name, port, request, answer] of [
        ["echo", 7007, "hello", "hello"],
        ["daytime", 7013, "x", "2026-03-04T05:06:07Z\r\n"]
      ] as const) {
        const { ask, askByDatagram } = yield* serving(name)
        assert.strictEqual(yield* ask(port, request), answer)
        assert.strictEqual(yield* askByDatagram(port, request), answer)
      }
      assert.strictEqual(yield* (yield* serving("discard")).ask(7009, "hello"), "")
      const time = yield* serving("time")
      assert.strictEqual((yield* time.askByDatagram(7037, "")).length, 4)
      const chargen = yield* serving("chargen")
      assert.isAtMost((yield* chargen.askByDatagram(7019, "")).length, 512)
    })
  )

  it.effect("where it is told, as often as it is told", () =>
    Effect.gen(function* () {
      const { ask, askByDatagram, made, network } = yield* serving("daytime", [
        "--listen",
        "tcp:80:interface=127.0.0.1",
        "-l",
        "tcp:81:interface=127.0.0.1",
        "--listen",
        "udp:82:interface=127.0.0.1",
        "--format",
        "ctime"
      ])
      for (const port of [80, 81]) assert.strictEqual(yield* ask(port), "Thu Jan  1 00:00:00 1970\r\n")
      assert.strictEqual(yield* askByDatagram(82, ""), "Thu Jan  1 00:00:00 1970\r\n")
      assert.deepStrictEqual(
        [made.name, (yield* network.statistics).listeners, (yield* network.statistics).datagramPorts > 0],
        ["daytime", 2, true]
      )
    })
  )

  it.effect("quotations from a file; what is wrong with it is told", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const file = path.join(folder, "quotes")
        fs.writeFileSync(file, `one\n%\n${"x".repeat(600)}\n`)
        const { ask } = yield* serving("qotd", ["--quotes", file])
        assert.strictEqual(yield* ask(7017), "one\r\n")
        assert.deepStrictEqual(
          logs.flatMap(({ level, text }) => (level === "Warn" ? [text] : [])),
          [`${file}:3: left out, a quotation has less than 512 bytes`]
        )
        fs.writeFileSync(file, "\n%\n")
        const maker = yield* load("qotd")
        for (const [args, said] of [
          [["--quotes", file], /^--quotes: there is no quotation in /],
          [["--quotes", `${file}.no`], /^--quotes: .*quotes\.no: there is no such file/],
          [["--listen", "tpc:80"], /^--listen "tpc:80": unknown scheme "tpc" \(did you mean "tcp"\?\)$/],
          [["--listen", "udp:http"], /^--listen "udp:http": .* \(.+\)$/]
        ] as const) {
          const error = yield* Effect.flip(service(maker, args))
          assert.instanceOf(error, UsageError)
          assert.match(error.message, said)
          assert.notInclude(error.message, "\n")
        }
      })
    )
  )
})
