/** socketmap_table(5): netstrings, laws, and conversations about tables with names; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as PostfixTable from "../../src/postfix/PostfixTable.ts"
import * as SocketmapClient from "../../src/postfix/SocketmapClient.ts"
import * as SocketmapServer from "../../src/postfix/SocketmapServer.ts"
import * as SocketmapTables from "../../src/postfix/SocketmapTables.ts"
import * as SocketmapWire from "../../src/postfix/SocketmapWire.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"
import { fuzzSessions } from "../support/fuzzSessions.ts"
import { transcript } from "../support/transcript.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const net = (text: string): string => `${Buffer.byteLength(text)}:${text},`

const tables = SocketmapTables.layer({
  aliases: PostfixTable.memory([
    ["ada", "ada@example.org"],
    ["a b", "größe"],
    ["lines", "a\nb"],
    ["long", "x".repeat(100_000)],
    ["__proto__", "yes"]
  ]),
  troubled: {
    get: (key: string) =>
      key === "slow"
        ? Effect.never
        : Effect.fail(new PostfixTable.Unavailable({ detail: "the disk\nis full" }))
  }
})

describe("requests and replies", () => {
  it("are what the manual says", () => {
    for (const [text, request] of [
      ["aliases ada", { map: "aliases", key: "ada" }],
      ["aliases a b", { map: "aliases", key: "a b" }],
      ["aliases ", { map: "aliases", key: "" }]
    ] as const) {
      assert.deepStrictEqual(Result.getOrThrow(SocketmapWire.parseRequest(bytes(text))), request)
      assert.strictEqual(Result.getOrThrow(SocketmapWire.formatRequest(request)), text)
    }
    for (const text of ["", "aliases", " ada"]) {
      assert.isTrue(Result.isFailure(SocketmapWire.parseRequest(bytes(text))), text)
    }
    assert.isTrue(Result.isFailure(SocketmapWire.parseRequest(Uint8Array.of(97, 32, 255))))
    for (const [text, reply] of [
      ["OK a b", { _tag: "Found", value: "a b" }],
      ["OK ", { _tag: "Found", value: "" }],
      ["NOTFOUND ", { _tag: "NotFound" }],
      ["TEMP later", { _tag: "Trouble", isLasting: false, detail: "later" }],
      ["PERM never", { _tag: "Trouble", isLasting: true, detail: "never" }]
    ] as const) {
      assert.deepStrictEqual(Result.getOrThrow(SocketmapWire.parseReply(bytes(text))), reply)
      assert.strictEqual(SocketmapWire.formatReply(reply), text)
    }
    assert.deepStrictEqual(Result.getOrThrow(SocketmapWire.parseReply(bytes("TIMEOUT x"))), {
      _tag: "Trouble",
      isLasting: false,
      detail: "x"
    })
    for (const text of ["", "ok a", "OKAY a", "200 a"]) {
      assert.isTrue(Result.isFailure(SocketmapWire.parseReply(bytes(text))), text)
    }
    for (const map of ["", "a b"]) {
      assert.isTrue(Result.isFailure(SocketmapWire.formatRequest({ map, key: "k" })))
    }
  })

  it("law: what is said is understood, or told that it cannot be said", () => {
    const below = numbers(4)
    for (let i = 0; i < 3_000; i++) {
      const text = Array.from({ length: below(20) }, () =>
        String.fromCodePoint(below(3) === 0 ? below(0xd800) : below(128))
      ).join("")
      const found = SocketmapWire.parseReply(bytes(SocketmapWire.formatReply({ _tag: "Found", value: text })))
      assert.deepStrictEqual(
        Result.getOrThrow(found)._tag === "Found" ? found : undefined,
        /[\0\r\n]/.test(text) ? undefined : Result.succeed({ _tag: "Found", value: text })
      )
      const request = { map: "m", key: text }
      const again = SocketmapWire.parseRequest(bytes(Result.getOrThrow(SocketmapWire.formatRequest(request))))
      assert.deepStrictEqual(Result.getOrThrow(again), request)
    }
  })

  it("fuzzing: nothing throws, and what is accepted can be said again", () => {
    const words = ["OK", "NOTFOUND", "TEMP", "PERM", "TIMEOUT", " ", "key", "\0", "\n", "\xff"]
    fuzz({ words, examples: ["OK value", "aliases key"], inputs: inputsCount(10_000) }, (input) => {
      const request = SocketmapWire.parseRequest(input)
      if (Result.isSuccess(request)) {
        const again = Result.getOrThrow(SocketmapWire.formatRequest(request.success))
        assert.deepStrictEqual(Buffer.from(again), Buffer.from(input))
      }
      const reply = SocketmapWire.parseReply(input)
      if (Result.isSuccess(reply)) assert.isAtMost(SocketmapWire.formatReply(reply.success).length, 1_100)
    })
  })
})

describe("a server", () => {
  it.effect("replies to each request", () =>
    transcript(SocketmapServer.protocol(), [
      [net("aliases ada"), net("OK ada@example.org")],
      [
        net("aliases a b") + net("aliases nobody") + net("aliases __proto__"),
        net("OK größe") + net("NOTFOUND ") + net("OK yes")
      ],
      [net("troubled x") + net("aliases ada"), net("TEMP the disk is full") + net("OK ada@example.org")],
      // A table that nobody knows defers mail; `constructor` is none.
      [net("others x"), net("TEMP there is no table others")],
      [net("constructor x"), net("TEMP there is no table constructor")],
      [net("aliases lines"), net("TEMP the value cannot be said: it is too long, or has lines in it")],
      [net("aliases long"), net("TEMP the value cannot be said: it is too long, or has lines in it")],
      // What is no request is told, and ends it.
      [net("aliases") + net("aliases ada"), net("PERM a request is a table's name, a space, and a key")],
      ["GET / HTTP/1.1\r\n\r\n", ""],
      ["100001:", ""],
      ["", ""]
    ]).pipe(Effect.provide(tables))
  )

  it.effect("fuzzing whole sessions: no defect, a reply to a request at most", () =>
    fuzzSessions(SocketmapServer.protocol(), {
      words: ["7:", "aliases ", "ada", ",", "0", "11:", "\xff", ":"],
      examples: [net("aliases ada") + net("troubled x"), net("aliases a b")],
      sessions: 300,
      answerBytesMax: (bytes) => 200 + 16 * bytes
    }).pipe(Effect.provide(tables))
  )
})

describe("a client", () => {
  const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
  const impatient = { drainTimeout: 0, interruptTimeout: 0 }
  const world = Layer.mergeAll(
    SocketmapServer.layer(Endpoint.tcp({ port: 1 }), { ...impatient, lookupTimeout: "10 seconds" }).pipe(
      Layer.provide(tables)
    ),
    Server.layer(
      Endpoint.tcp({ port: 2 }),
      (transport) => transport.receiveEach(() => transport.send(net("hello"))),
      impatient
    )
  )
  const on = (port: number) =>
    SocketmapClient.layer(at(port)).pipe(Layer.provideMerge(world), Layer.provide(MemoryReactor.layer()))
  const reason = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
    Effect.map(Effect.flip(effect), (error) => error.reason._tag)

  it.effect("gets, many at once, each with its own reply", () =>
    Effect.gen(function* () {
      const { get } = yield* SocketmapClient.SocketmapClient
      const values = yield* Effect.forEach(["ada", "nobody", "a b"], (key) => get("aliases", key), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(values, ["ada@example.org", undefined, "größe"])
      assert.strictEqual(yield* reason(get("troubled", "x")), "TryAgain")
      assert.strictEqual(yield* reason(get("a b", "x")), "BadName")
      assert.strictEqual(yield* reason(get("a", "x".repeat(100_000))), "TooLong")
      const slow = yield* Effect.forkChild(reason(get("troubled", "slow")), { startImmediately: true })
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* Fiber.join(slow), "TryAgain")
    }).pipe(Effect.provide(on(1)))
  )

  it.effect("servers that say nonsense", () =>
    Effect.gen(function* () {
      const { get } = yield* SocketmapClient.SocketmapClient
      assert.strictEqual(yield* reason(get("aliases", "ada")), "Malformed")
    }).pipe(Effect.provide(on(2)))
  )
})
