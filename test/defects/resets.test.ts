/** C2: a reset at any moment ends its own connection, and is nobody's failure. */
import type * as net from "node:net"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hello } from "../node/sockets.ts"
import {
  connected,
  type Counts,
  heard,
  live,
  over,
  socketTo,
  type Target,
  target,
  tlsAvailable,
  unharmed
} from "./attack.ts"
import { relay, type Relayed } from "./relay.ts"

/** Brings a connection to the moment of its reset. */
type Phase = (socket: net.Socket) => Effect.Effect<unknown>

const write = (socket: net.Socket, bytes: string | Uint8Array) =>
  Effect.callback<void>((resume) => {
    socket.write(bytes, () => resume(Effect.void))
  })

const now: Phase = () => Effect.void
const after =
  (bytes: string | Uint8Array): Phase =>
  (socket) =>
    write(socket, bytes)
/** Writes, and waits for an answer. */
const answered =
  (bytes: string | Uint8Array): Phase =>
  (socket) =>
    Effect.suspend(() => {
      socket.write(bytes)
      return heard(socket)
    })
const inTurn =
  (...phases: ReadonlyArray<Phase>): Phase =>
  (socket) =>
    Effect.forEach(phases, (phase) => phase(socket), { discard: true })
/** Our end goes out, and its echo in the loop: nothing is left to shut down. */
const ended: Phase = (socket) =>
  Effect.callback<void>((resume) => {
    socket.end(() => setImmediate(() => resume(Effect.void)))
  })

const secure = "STARTTLS\r\n"

const phases: ReadonlyArray<readonly [service: string, what: string, times: number, phase: Phase]> = [
  ["echo", "right after accept", 2_000, now],
  ["lines", "in a frame", 1_200, after("half a li")],
  ["netstrings", "in a frame", 500, after("10:half ")],
  ["lineEcho", "between frames", 1_000, answered("a line\r\n")],
  ["flood", "while we write", 300, (socket) => heard(socket)],
  ["flood", "while we write to one that does not read", 200, now],
  ["halfClosed", "after its end, while we write", 200, inTurn(ended, (socket) => heard(socket))],
  ["echo", "after its end", 600, inTurn(after("x"), ended)],
  ["proxied", "before the PROXY header", 500, now],
  ["proxied", "in the PROXY header", 1_000, after("PROXY TCP4 192.0.2.1")],
  ["proxied", "right behind the PROXY header", 500, after("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nx")],
  ["sniff", "before it is known", 500, after("AAAA")]
]

const tlsPhases: typeof phases = [
  ["tls", "in the hello", 400, after(hello.subarray(0, 60))],
  ["tls", "behind the hello", 200, after(hello)],
  ["tls", "behind the server's flight", 200, answered(hello)],
  ["tlsNamed", "before the hello", 100, now],
  ["tlsNamed", "in the hello", 200, after(hello.subarray(0, 60))],
  ["tlsNamed", "behind the server's flight", 100, answered(hello)],
  ["starttls", "before the go-ahead", 300, after(secure)],
  ["starttls", "behind the go-ahead", 200, inTurn(heard, answered(secure))],
  ["starttls", "in the hello", 200, inTurn(heard, answered(secure), after(hello.subarray(0, 60)))],
  ["starttls", "behind the server's flight", 100, inTurn(heard, answered(secure), answered(hello))]
]

const reset = (port: number, phase: Phase) =>
  Effect.scoped(
    Effect.flatMap(connected(port), (socket) =>
      Effect.andThen(
        phase(socket),
        Effect.sync(() => socket.resetAndDestroy())
      )
    )
  )

const resetAll = (attacked: Target, list: typeof phases, share = 1) =>
  Effect.forEach(
    list.flatMap(([service, , times, phase]) =>
      Array.from({ length: Math.ceil(times * share) }, () => [service, phase] as const)
    ),
    ([service, phase]) => reset(attacked.port(service), phase),
    { concurrency: 40, discard: true }
  )

const serves = (attacked: Target, service: string, bytes: string, answer: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* connected(attacked.port(service))
      socket.write(bytes)
      assert.strictEqual(yield* heard(socket), answer)
      socket.end()
      yield* over(socket)
    })
  )

const attack = (list: typeof phases) =>
  Effect.gen(function* () {
    const attacked = yield* target([...new Set(list.map(([service]) => service))])
    // Whatever is loaded late, or opened once, is by then.
    yield* resetAll(attacked, list, 0.02)
    yield* attacked.quiet
    const before = yield* attacked.measure
    yield* resetAll(attacked, list)
    yield* attacked.quiet
    const after = yield* attacked.measure
    unharmed(before, after)
    for (const [service, { refused }] of Object.entries(after.counts)) {
      assert.strictEqual(refused, 0, service)
    }
    return attacked
  })

describe("C2: resets", () => {
  live(
    `${phases.reduce((sum, [, , times]) => sum + times, 0)} resets: ${[...new Set(phases.map(([, what]) => what))].join(", ")}`,
    Effect.gen(function* () {
      const attacked = yield* attack(phases)
      yield* serves(attacked, "echo", "x", "x")
      yield* serves(attacked, "lineEcho", "a line\r\n", "a line\r\n")
      yield* serves(attacked, "proxied", "PROXY UNKNOWN\r\nx", "x")
    })
  )

  describe.skipIf(!tlsAvailable)("TLS", () => {
    live(
      `${tlsPhases.reduce((sum, [, , times]) => sum + times, 0)} resets around handshakes: ${[...new Set(tlsPhases.map(([, what]) => what))].join(", ")}`,
      Effect.asVoid(attack(tlsPhases))
    )

    live(
      "behind each flight of each side, in TLS 1.2, 1.3, and with certificates of clients",
      Effect.gen(function* () {
        const attacked = yield* target(["tls", "mutualTls", "tlsNamed"])
        const kinds: ReadonlyArray<Omit<Relayed, "resetAfter">> = (["TLSv1.2", "TLSv1.3"] as const).flatMap(
          (version) =>
            ["tls", "mutualTls", "tlsNamed"].map((service) => ({
              port: attacked.port(service),
              version,
              certificate: service === "mutualTls"
            }))
        )
        const round = Effect.forEach(
          kinds.flatMap((kind) => [1, 2, 3, 4, 5, 6].map((resetAfter) => ({ ...kind, resetAfter }))),
          relay,
          { concurrency: 6 }
        )
        yield* round
        yield* attacked.quiet
        const before = yield* attacked.measure
        const outcomes = (yield* Effect.replicateEffect(round, 4)).flat()
        yield* attacked.quiet
        unharmed(before, yield* attacked.measure)
        // Some were cut within the handshake, some behind it.
        assert.includeMembers(outcomes, ["handshake", "secured"])
      })
    )
  })

  live(
    "while the server drains: it stops in time, and nobody failed",
    Effect.gen(function* () {
      const attacked = yield* target(["echo"])
      const peers = 100
      const round = Effect.scoped(
        Effect.gen(function* () {
          const port = yield* attacked.ask<number>("start lineEcho")
          const sockets = yield* Effect.forEach(
            Array.from({ length: peers }),
            () => Effect.tap(connected(port), (socket) => answered("x\r\n")(socket)),
            { concurrency: 20 }
          )
          const stopping = attacked.ask<Counts>("stop lineEcho")
          const resetting = Effect.forEach(
            sockets,
            (socket, index) =>
              Effect.andThen(
                index % 10 === 0 ? Effect.sleep("2 millis") : Effect.void,
                Effect.sync(() => socket.resetAndDestroy())
              ),
            { discard: true }
          )
          const from = performance.now()
          const [counts] = yield* Effect.all([stopping, resetting], { concurrency: "unbounded" })
          assert.deepStrictEqual(counts, { open: 0, accepted: peers, refused: 0, failed: 0 })
          // Its drainTimeout is 2 seconds: nobody was left to wait for.
          return performance.now() - from
        })
      )
      yield* round
      const before = yield* attacked.measure
      const times = yield* Effect.replicateEffect(round, 4)
      assert.isBelow(Math.min(...times), 1_500)
      unharmed(before, yield* attacked.measure)
    })
  )

  live(
    "while connections are handed to another thread",
    Effect.gen(function* () {
      const attacked = yield* target(["handoff"])
      const port = attacked.port("handoff")
      // The thread takes a moment to be there.
      const greeting = (text: string) => /^thread \d+\n/.test(text)
      const served = Effect.scoped(
        Effect.flatMap(connected(port), (socket) =>
          Effect.map(heard(socket), (text) => assert.isTrue(greeting(text), text))
        )
      )
      yield* served
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* Effect.forEach(
        Array.from({ length: 600 }, (_, index) => index),
        (index) =>
          Effect.callback<void>((resume) => {
            const socket = socketTo(port)
            socket.once("close", () => resume(Effect.void))
            socket.once("connect", () => {
              if (index % 3 === 0) socket.resetAndDestroy()
              else if (index % 3 === 1) socket.write("x", () => socket.resetAndDestroy())
              else socket.once("data", () => socket.resetAndDestroy())
            })
          }),
        { concurrency: 20, discard: true }
      )
      yield* attacked.quiet
      yield* served
      // The other thread lets go in its own time.
      yield* Effect.repeat(Effect.andThen(Effect.sleep("50 millis"), attacked.measure), {
        until: ({ descriptors }) => descriptors <= before.descriptors
      })
      unharmed(before, yield* attacked.measure)
    })
  )
})
