/** Conversations about a table; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as PostfixClient from "../../src/postfix/PostfixClient.ts"
import * as PostfixServer from "../../src/postfix/PostfixServer.ts"
import * as PostfixTable from "../../src/postfix/PostfixTable.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { fuzzSessions } from "../support/fuzzSessions.ts"
import { transcript } from "../support/transcript.ts"

const stored: Array<readonly [string, string]> = []
const table = Layer.succeed(PostfixTable.PostfixTable, {
  get: (key) =>
    key === "slow"
      ? Effect.never
      : key === "down"
        ? Effect.fail(new PostfixTable.Unavailable({ detail: "the disk is full" }))
        : Effect.succeed(
            new Map([
              ["a b", "one\ntwo"],
              ["__proto__", "yes"]
            ]).get(key)
          ),
  put: (key, value) =>
    key === "no"
      ? Effect.fail(new PostfixTable.Refused({ detail: "not that one" }))
      : Effect.sync(() => void stored.push([key, value]))
})

describe("a server", () => {
  it.effect("replies to each request", () =>
    transcript(PostfixServer.protocol(), [
      ["get a%20b\n", "200 one%0Atwo\n"],
      [
        "get a\nget a%20b\nget constructor\nget __proto__\n",
        "500 not%20found\n200 one%0Atwo\n500 not%20found\n200 yes\n"
      ],
      ["get down\nget a\n", "400 the%20disk%20is%20full\n500 not%20found\n"],
      ["put no x\n", "500 not%20that%20one\n"],
      // What is no request is told, and ends it.
      ["get a b\nget a\n", "400 get%20takes%20a%20key\n"],
      ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "400 a%20request%20is%20a%20get%20or%20a%20put\n"],
      [`get ${"x".repeat(4095)}`, ""],
      ["get unfinished", ""],
      ["", ""]
    ]).pipe(Effect.provide(table))
  )

  it.effect("is only read by default", () =>
    transcript(PostfixServer.protocol(), [
      ["put a b\n", "500 this%20table%20is%20only%20read\n"],
      ["get k\n", "200 v\n"]
    ]).pipe(Effect.provide(PostfixTable.layer([["k", "v"]])))
  )
})

describe("fuzzing", () => {
  it.effect("whole sessions: no defect, a reply to a request at most", () =>
    fuzzSessions(PostfixServer.protocol(), {
      words: ["get", "put", " ", "a%20b", "down", "no", "%", "%0A", "\n", "\r\n", "\0", "\xff"],
      examples: ["get a%20b\nget x\n", "put no x\n", "get down\n"],
      sessions: 300,
      answerBytesMax: (bytes) => 100 + 16 * bytes
    }).pipe(Effect.provide(table))
  )
})

describe("a client", () => {
  const impatient = { drainTimeout: 0, interruptTimeout: 0 }
  const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
  const world = Layer.mergeAll(
    PostfixServer.layer(Endpoint.tcp({ port: 1 }), impatient).pipe(Layer.provide(table)),
    Server.layer(
      Endpoint.tcp({ port: 2 }),
      (transport) => transport.receiveEach(() => transport.send("hello\n")),
      impatient
    ),
    Server.layer(Endpoint.tcp({ port: 3 }), (transport) => Effect.asVoid(transport.receive), impatient)
  )
  const on = (port: number, options?: PostfixClient.LayerOptions) =>
    PostfixClient.layer(at(port), options).pipe(
      Layer.provideMerge(world),
      Layer.provide(MemoryReactor.layer())
    )
  const reason = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
    Effect.map(Effect.flip(effect), (error) => error.reason._tag)

  it.effect("gets and puts, many at once, each with its own reply", () =>
    Effect.gen(function* () {
      const client = yield* PostfixClient.PostfixClient
      const keys = ["a b", "a", "__proto__", "a b"]
      assert.deepStrictEqual(yield* Effect.forEach(keys, client.get, { concurrency: "unbounded" }), [
        "one\ntwo",
        undefined,
        "yes",
        "one\ntwo"
      ])
      stored.length = 0
      yield* client.put("k\n", "v v")
      assert.deepStrictEqual(stored, [["k\n", "v v"]])
      assert.strictEqual(yield* reason(client.put("no", "x")), "Rejected")
      assert.strictEqual(yield* reason(client.get("down")), "TryAgain")
      assert.strictEqual(yield* reason(client.get("x".repeat(5000))), "TooLong")
      assert.strictEqual(yield* client.get("a b"), "one\ntwo")
    }).pipe(Effect.provide(on(1)))
  )

  it.effect("after a timeout it goes on over another connection", () =>
    Effect.gen(function* () {
      const client = yield* PostfixClient.PostfixClient
      const late = yield* Effect.forkChild(reason(client.get("slow")), { startImmediately: true })
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* Fiber.join(late), "NoReply")
      // The server is busy with the other one for 10 seconds more.
      const next = yield* Effect.forkChild(client.get("a b"), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(next), "one\ntwo")
    }).pipe(Effect.provide(on(1, { timeout: "20 seconds" })))
  )

  it.effect("after an interruption, too", () =>
    Effect.gen(function* () {
      const client = yield* PostfixClient.PostfixClient
      yield* client.get("a")
      const given = yield* Effect.forkChild(client.get("slow"), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(given)
      const next = yield* Effect.forkChild(client.get("__proto__"), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(next.pollUnsafe()?._tag, "Success")
      assert.strictEqual(yield* Fiber.join(next), "yes")
    }).pipe(Effect.provide(on(1)))
  )

  it.effect("servers that say nonsense, or nothing", () =>
    Effect.gen(function* () {
      const ask = Effect.flatMap(PostfixClient.PostfixClient, (client) => reason(client.get("a")))
      assert.strictEqual(yield* Effect.provide(ask, on(2)), "Malformed")
      assert.strictEqual(yield* Effect.provide(ask, on(3)), "NoReply")
      assert.strictEqual(yield* Effect.provide(ask, on(9)), "Refused")
    })
  )
})
