import assert from "node:assert/strict"
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { Lines } from "spindle/framing"
import { MemoryReactor } from "spindle/memory"
import { Client, Server, Sniff } from "spindle/protocol"
import { Endpoint } from "spindle/reactor"
import { branch } from "../src/branch.js"
import { lineBytesMax, nameday } from "../src/nameday.js"

/** @typedef {import("spindle/protocol").Protocol.Protocol<import("spindle/reactor").Transport.Transport, unknown>} Protocol */

/**
 * The answers of a server with this protocol, in a network in memory, on the 26th of December 2026.
 *
 * @param {Protocol} protocol
 * @param {ReadonlyArray<string>} questions
 * @returns {Promise<ReadonlyArray<string>>}
 */
const ask = (protocol, ...questions) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.UTC(2026, 11, 26))
    yield* Server.make(Endpoint.tcp({ port: 7066 }), protocol)
    const transport = yield* Client.connect(Endpoint.tcpClient({ host: "localhost", port: 7066 }))
    const lines = Lines.make(transport, { anyNewline: true })
    return yield* Effect.forEach(questions, (question) => Effect.andThen(lines.send(question), lines.receive))
  }).pipe(Effect.scoped, Effect.provide([MemoryReactor.layer(), TestClock.layer()]), Effect.runPromise)

test("answers each line", async () => {
  assert.deepEqual(await ask(nameday(), "today", "06-24", "Martin", "12-24"), [
    "Stephen",
    "John",
    "11-11",
    "nobody"
  ])
})

test("says so when a line is too long", async () => {
  assert.match((await ask(nameday(), "x".repeat(lineBytesMax + 1)))[0] ?? "", /^error: /)
})

test("is known by its first word on a port that others share", async () => {
  const shared = Sniff.over([branch], { default: (transport) => transport.send("something else\n") })
  assert.deepEqual(await ask(shared, "NAMEDAY 12-13", "nameday Lucy", "Lucy"), [
    "Lucy",
    "12-13",
    "error: a question begins with NAMEDAY"
  ])
  assert.deepEqual(await ask(shared, "HELLO"), ["something else"])
})
