/** C7: 1,000 slow peers of every kind hold up nobody, and those who may be thrown out are, in time. */
import type * as net from "node:net"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hello } from "../node/sockets.ts"
import { connected, heard, live, noiseBytes, over, type Target, target, tlsAvailable } from "./attack.ts"
import { timedMillis } from "./services.ts"

type Kind = readonly [service: string, what: string, begin: string | Uint8Array, drips: boolean]

const kinds: ReadonlyArray<Kind> = [
  ["lineEcho", "connected and silent", "", false],
  ["lineEcho", "a byte now and then", "a li", true],
  ["proxied", "half a PROXY header", "PROXY TCP4", false],
  ["proxied", "a PROXY header, dripping", "PROXY TCP4 192.0.2.1", true],
  ["flood", "reading nothing", "", false],
  ...(tlsAvailable
    ? ([
        ["tls", "no hello", "", false],
        ["tls", "half a hello", hello.subarray(0, 60), false],
        ["tls", "a hello, and no more", hello, false]
      ] as const)
    : [])
]

/** How long a line takes there and back: the 99th percentile of so many, one after another, in milliseconds. */
const latency = (socket: net.Socket, times: number) =>
  Effect.gen(function* () {
    const all: Array<number> = []
    for (let i = 0; i < times; i++) {
      const from = performance.now()
      socket.write("a line\r\n")
      assert.strictEqual(yield* heard(socket), "a line\r\n")
      all.push(performance.now() - from)
    }
    all.sort((a, b) => a - b)
    return all[Math.floor(times * 0.99)]!
  })

/** The best of three: the machine has other work, too. */
const bestLatency = (socket: net.Socket) =>
  Effect.map(Effect.replicateEffect(latency(socket, 300), 3), (all) => Math.min(...all))

const besiege = (attacked: Target, list: ReadonlyArray<Kind>, each: number) =>
  Effect.forEach(
    Array.from({ length: each }, () => list).flat(),
    ([service, , begin, drips]) =>
      Effect.map(connected(attacked.port(service)), (socket) => {
        socket.pause()
        if (begin.length > 0) socket.write(begin)
        return { drips, socket }
      }),
    { concurrency: 50 }
  )

describe("C7: slow peers", () => {
  live(
    `1,000 of them: ${kinds.map(([, what]) => what).join(", ")}`,
    Effect.gen(function* () {
      const attacked = yield* target([...new Set(kinds.map(([service]) => service))])
      const client = yield* connected(attacked.port("lineEcho"))
      const quiet = yield* bestLatency(client)
      const before = yield* attacked.measure
      const each = Math.ceil(1_000 / kinds.length)
      const slow = yield* besiege(attacked, kinds, each)
      const dripping = yield* Effect.acquireRelease(
        Effect.sync(() =>
          setInterval(() => {
            for (const { drips, socket } of slow) if (drips && !socket.destroyed) socket.write("1")
          }, 250)
        ),
        (timer) => Effect.sync(() => clearInterval(timer))
      )
      const besieged = yield* bestLatency(client)
      assert.isBelow(besieged, Math.max(50, 5 * quiet))
      // A new one is served as well.
      const another = yield* connected(attacked.port("lineEcho"))
      yield* latency(another, 10)
      const during = yield* attacked.measure
      // Each handshake has OpenSSL's state, each that is sent to its high-water mark.
      assert.isBelow(during.resident - before.resident, 1_000 * 65_536 + noiseBytes)
      clearInterval(dripping)
      for (const { socket } of slow) socket.destroy()
      client.destroy()
      another.destroy()
      yield* attacked.quiet
      const { loud, reports } = yield* attacked.measure
      assert.deepStrictEqual([loud, reports], [[], []])
    })
  )

  const timed: ReadonlyArray<readonly [Kind, within: number]> = [
    [["idle", "silent", "", false], timedMillis],
    [["timed", "silent", "", false], timedMillis],
    [["timed", "a byte now and then", "a li", true], 2 * timedMillis],
    [["timedProxied", "half a PROXY header", "PROXY TCP4", false], timedMillis],
    [["timedProxied", "a PROXY header, dripping", "PROXY TCP4 192.0.2.1", true], timedMillis],
    [["timedStream", "reading nothing", "", false], timedMillis],
    ...(tlsAvailable
      ? ([
          [["timedTls", "no hello", "", false], timedMillis],
          [["timedTls", "half a hello", hello.subarray(0, 60), true], timedMillis]
        ] as const)
      : [])
  ]

  live(
    `Idle, Timeout, the header's and the handshake's deadline throw them out in time; Limit keeps a thousand from being more`,
    Effect.gen(function* () {
      const attacked = yield* target([...new Set(timed.map(([[service]]) => service))])
      yield* attacked.measure
      const sockets = yield* Effect.forEach(
        timed.flatMap((each) => Array.from({ length: 50 }, () => each)),
        ([[service, what, begin, drips], within]) =>
          Effect.map(connected(attacked.port(service)), (socket) => {
            if (begin.length > 0) socket.write(begin)
            if (service === "timedStream") socket.pause()
            return { socket, drips, within, from: performance.now(), what: `${service}: ${what}` }
          }),
        { concurrency: 25 }
      )
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          setInterval(() => {
            for (const { drips, socket } of sockets) if (drips && !socket.destroyed) socket.write("1")
          }, 200)
        ),
        (timer) => Effect.sync(() => clearInterval(timer))
      )
      const ends = yield* Effect.forEach(
        sockets.filter(({ what }) => !what.startsWith("timedStream")),
        ({ from, socket, what, within }) =>
          Effect.map(over(socket), () => ({ what, within, took: performance.now() - from })),
        { concurrency: "unbounded" }
      )
      for (const { took, what, within } of ends) {
        assert.isAtLeast(took, within * 0.9, what)
        // A sixteenth more, and what a busy machine adds.
        assert.isBelow(took, within * 1.0625 + 2_500, what)
      }
      // Those who do not read do not see it: the server has nobody left.
      const from = performance.now()
      yield* attacked.quiet
      assert.isBelow(performance.now() - from, 4_000)

      // Limit: of 600 silent ones, 500 are kept.
      const crowd = yield* Effect.forEach(
        Array.from({ length: 600 }),
        () => connected(attacked.port("timed")),
        { concurrency: 50 }
      )
      yield* Effect.forEach(crowd, over, { concurrency: "unbounded", discard: true })
      yield* attacked.quiet
      const { counts, loud, reports } = yield* attacked.measure
      assert.deepStrictEqual([loud, reports], [[], []])
      for (const { failed } of Object.values(counts)) assert.strictEqual(failed, 0)
    })
  )
})
