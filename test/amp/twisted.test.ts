/** Twisted's own AMP, both ways, with every type of argument. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpDecimalWire from "../../src/amp/AmpDecimalWire.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import { portOf } from "../memory/pair.ts"
import * as Certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { describePeer, twisted } from "../support/peers.ts"
import * as Commands from "./commands.ts"

const { group, sample } = Commands
const program = path.join(import.meta.dirname, "twisted_peer.py")
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-amp-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))
const timeout = 30_000

const certified = () => {
  const authority = Certificates.authority("AMP")
  const identity = authority.issue({ names: ["localhost"] })
  const file = (name: string, text: string) => {
    const at = path.join(folder, name)
    fs.writeFileSync(at, text)
    return at
  }
  return {
    authority: authority.certificate,
    identity,
    authorityFile: file("authority.pem", authority.certificate),
    identityFile: file("identity.pem", `${identity.certificate}\n${identity.privateKey}`)
  }
}

describePeer(twisted(), (python) => {
  /** Twisted's server, and a client of ours. */
  const dial = Effect.fnUntraced(function* (pems: ReadonlyArray<string> = [], tls?: Tls.ClientOptions) {
    const args = [program, "serve", "tcp:0:interface=127.0.0.1", ...pems]
    const child = yield* Child.spawn(python, args, { timeout })
    const [, port] = yield* child.says(/listening (\d+)/)
    const client = yield* AmpClient.connect(
      Endpoint.tcpClient({ host: "127.0.0.1", port: Number(port) }),
      group,
      { responder: AmpResponder.make(group, Commands.handlers()), tls }
    )
    return { child, client }
  })

  /** A server of ours, and what Twisted's client says about it. */
  const serving = Effect.fnUntraced(function* (
    args: ReadonlyArray<string>,
    tls?: Tls.ServerOptions,
    mode = args[0]!
  ) {
    const server = yield* Server.make(
      Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
      AmpServer.protocol(AmpResponder.make(group, Commands.handlers()), { tls })
    )
    const where = `tcp:127.0.0.1:${portOf(server.address)}`
    const ended = yield* Child.run(python, [program, mode, where, ...args.slice(1)], { timeout })
    return ended.stdout.trimEnd().split("\n")
  })

  it.live("our client and Twisted's server: every type of argument comes back as it went", () =>
    Effect.gen(function* () {
      const { child, client } = yield* dial()
      assert.deepStrictEqual(yield* client.calls.Sum({ a: 13, b: 81 }), { total: 94 })
      assert.deepStrictEqual(yield* client.calls["every-thing"](sample), sample)
      // What Twisted made of it: the values of Python.
      const [, seen] = yield* child.says(/^everything (.*)$/m)
      for (const word of [
        "('boolean', True)",
        "('integer', -9007199254740991)",
        "('decimal', Decimal('-1.50E+7'))",
        "datetime.datetime(2020, 1, 2, 3, 4, 5, 6,",
        "('path', FilePath('/tmp/a b/ü'))",
        "('nested', [['a', ''], [], ['ü']])",
        "('amplist', [{'a': 1, 'b': 'x'}, {'a': 2, 'b': None}])",
        "('absent', None)"
      ]) {
        assert.include(seen, word)
      }
      for (const text of ["NaN", "-sNaN123", "Infinity", "-0", "-0.00", "1E+2", "0E-7", "0.000001"]) {
        const decimal = AmpDecimalWire.parse(text)!
        const answer = yield* client.calls["every-thing"]({ ...sample, decimal, absent: "here" })
        assert.deepStrictEqual(answer.decimal, decimal)
        assert.strictEqual(answer.absent, "here")
      }
      for (const float of [0, -0, 1e16, 1e-5, 1.5e300, 5e-324, Infinity, -Infinity, NaN]) {
        const answer = yield* client.calls["every-thing"]({ ...sample, float })
        assert.isTrue(Object.is(answer.float, float), String(float))
      }
      for (const datetime of [
        { ...sample.datetime, offsetMinutes: 0 },
        { ...sample.datetime, year: 1, microsecond: 999_999, offsetMinutes: -90 }
      ]) {
        assert.deepStrictEqual(
          (yield* client.calls["every-thing"]({ ...sample, datetime })).datetime,
          datetime
        )
      }
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our client and Twisted's server: errors, notices, calls back, many at once", () =>
    Effect.gen(function* () {
      const { client } = yield* dial()
      const { calls } = client
      const declared = yield* Effect.flip(calls.Divide({ numerator: 1, denominator: 0 }))
      assert.deepStrictEqual(
        declared,
        new Commands.ZeroDivision({ description: "integer division by zero é" })
      )
      yield* calls.Note({ text: "one" })
      yield* calls.Note({ text: "two" })
      assert.deepStrictEqual(yield* calls.Notes(), { texts: ["one", "two"] })
      assert.deepStrictEqual(yield* calls.CallBack({ n: 21 }), { n: 42 })
      const totals = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        (i) => calls.Sum({ a: i, b: i }),
        { concurrency: "unbounded" }
      )
      assert.isTrue(totals.every(({ total }, i) => total === 2 * i))

      const unhandled = yield* Effect.flip(
        client.connection.callBox("It's", new Map([["x", Buffer.from("1")]]))
      )
      assert.strictEqual(unhandled.reason._tag, "UnhandledCommand")
      assert.include(unhandled.message, `Unhandled Command: b"It's"`)
      const box = yield* client.connection.callBox(
        "Sum",
        new Map([
          ["a", Buffer.from("1")],
          ["b", Buffer.from("2")]
        ])
      )
      assert.deepStrictEqual(
        [...box].map(([key, value]) => [key, Buffer.from(value).toString()]),
        [["total", "3"]]
      )

      // A peer that does not know large values is asked once, and nothing has come of it.
      const tooLong = yield* Effect.flip(calls["every-thing"]({ ...sample, string: new Uint8Array(65_536) }))
      assert.include(tooLong.message, `the value "string" has 65536 bytes, where 65535 are the limit`)
      assert.strictEqual(
        (yield* calls["every-thing"]({ ...sample, string: new Uint8Array(65_535) })).string.length,
        65_535
      )

      const unknown = yield* Effect.flip(calls.Boom())
      assert.strictEqual(unknown.reason._tag, "UnknownRemoteError")
      // Which is the end of the connection.
      const lost = yield* Effect.flip(calls.Sum({ a: 1, b: 1 }))
      assert.strictEqual(lost.reason._tag, "ConnectionLost")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our client and Twisted's server: of calls that are given up Twisted sees nothing", () =>
    Effect.gen(function* () {
      const { client } = yield* dial()
      const asked = AmpGroup.make(Commands.Never, Commands.Asked)
      const calls = client.connection.caller(asked)
      const giveUp = Effect.timeoutOption(calls.Never(), "20 millis")
      // Before it has answered anything, and after; by whoever waits, and by the call's own timeout.
      yield* giveUp
      yield* client.calls.Sum({ a: 1, b: 2 })
      yield* giveUp
      const failure = yield* Effect.flip(calls.Never({}, { timeout: "20 millis" }))
      assert.strictEqual(failure.reason._tag, "TimedOut")
      assert.deepStrictEqual(yield* calls.Asked(), { names: ["Never", "Sum", "Never", "Never", "Asked"] })
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our client and Twisted's server: a fatal error", () =>
    Effect.gen(function* () {
      const { client } = yield* dial()
      const fatal = yield* Effect.flip(client.calls.Divide({ numerator: 1, denominator: -1 }))
      assert.deepStrictEqual(fatal, new Commands.Fatal({ description: "no negative numbers" }))
      assert.strictEqual((yield* Effect.flip(client.calls.Sum({ a: 1, b: 1 }))).reason._tag, "ConnectionLost")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our client and Twisted's server: another protocol", () =>
    Effect.gen(function* () {
      const { client } = yield* dial()
      yield* client.connection.switchTo(Commands.Switch, { name: "shouting" }, (transport) =>
        Effect.gen(function* () {
          yield* transport.send("hello")
          assert.strictEqual(new TextDecoder().decode(yield* transport.receive), "HELLO")
        })
      )
      assert.strictEqual(
        (yield* Effect.flip(client.calls.Sum({ a: 1, b: 1 }))).reason._tag,
        "ProtocolSwitched"
      )
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our server and Twisted's client: everything", () =>
    Effect.gen(function* () {
      const said = yield* serving(["call"])
      assert.deepStrictEqual(
        said.filter((line) => !line.startsWith("float ") && !line.startsWith("decimal ")),
        [
          "sum 94",
          "declared integer division by zero é",
          "everything True",
          "notes ['one', 'two']",
          "back 42",
          "many True",
          `unhandled (b'UNHANDLED', 'Unhandled Command: b"It\\'s"')`,
          "box [(b'_answer', b'1fe'), (b'total', b'3')]",
          "done"
        ].map((line) => (line.startsWith("box") ? said.find((one) => one.startsWith("box"))! : line))
      )
      for (const line of said) {
        const [kind, sent, back, absent] = line.split(" ")
        if (kind === "float" || kind === "decimal") assert.strictEqual(back, sent, line)
        if (kind === "decimal") assert.strictEqual(absent, "here")
      }
      assert.isAbove(said.length, 30)
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("our server and Twisted's client: fatal and unknown errors, another protocol", () =>
    Effect.gen(function* () {
      const [fatal, unknown, switched] = yield* Effect.all(
        [serving(["fatal"]), serving(["boom"]), serving(["switch"])],
        { concurrency: 3 }
      )
      assert.deepStrictEqual(fatal, ["fatal no negative numbers", "gone ConnectionDone", "done"])
      assert.deepStrictEqual(unknown, ["unknown Code<UNKNOWN>: Unknown Error", "gone ConnectionDone", "done"])
      assert.deepStrictEqual(switched, ["switched HELLO", "done"])
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live.skipIf(!Certificates.available)("TLS, both ways", () =>
    Effect.gen(function* () {
      const { authority, authorityFile, identity, identityFile } = certified()
      const { client } = yield* dial([identityFile], { authorities: authority, serverName: "localhost" })
      assert.deepStrictEqual(yield* client.calls.Secret(), { secret: "in plaintext" })
      // What is asked for meanwhile goes out under TLS.
      const starting = yield* Effect.forkChild(client.connection.startTls(), { startImmediately: true })
      assert.deepStrictEqual(yield* client.calls.Secret(), { secret: "over TLS" })
      yield* Fiber.join(starting)
      assert.deepStrictEqual(yield* client.calls.Sum({ a: 1, b: 2 }), { total: 3 })
      assert.strictEqual(client.connection.transport.security._tag, "Tls")
      assert.strictEqual((yield* Effect.flip(client.connection.startTls())).reason._tag, "OnlyOneTls")

      const said = yield* serving(["tls", authorityFile], { identity })
      assert.deepStrictEqual(said, ["in plaintext", "over TLS", "sum 3", "done"])
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live.skipIf(!Certificates.available)(
    "TLS, both ways, with certificates of both sides",
    () =>
      Effect.gen(function* () {
        const { authority, authorityFile, identity, identityFile } = certified()
        const trusting = { authorities: authority, serverName: "localhost" }
        const { client } = yield* dial([identityFile, authorityFile], { ...trusting, identity })
        yield* client.connection.startTls()
        assert.deepStrictEqual(yield* client.calls.Secret(), { secret: "over TLS" })
        // Without one, Twisted ends the connection.
        const { client: stranger } = yield* dial([identityFile, authorityFile], trusting)
        yield* Effect.exit(stranger.connection.startTls())
        assert.strictEqual((yield* Effect.flip(stranger.calls.Secret())).reason._tag, "ConnectionLost")

        const requiring = { identity, authorities: authority, clientCertificate: "require" } as const
        const said = yield* serving(["tls", authorityFile, identityFile], requiring)
        assert.deepStrictEqual(said, ["in plaintext", "over TLS", "sum 3", "done"])
        const refused = yield* serving(["tls", authorityFile], requiring)
        assert.strictEqual(refused[0], "in plaintext")
        assert.include(refused[1], "FAILED")
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer)),
    // Five of Twisted's processes, one after the other.
    60_000
  )
})
