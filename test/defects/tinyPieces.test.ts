/** C5: many tiny pieces cost about as much as few large ones, in memory and in time. */
import type * as net from "node:net"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { Decoder } from "../../src/framing/Decoder.ts"
import * as LengthPrefixedDecoder from "../../src/framing/LengthPrefixedDecoder.ts"
import * as LinesDecoder from "../../src/framing/LinesDecoder.ts"
import * as NdjsonDecoder from "../../src/framing/NdjsonDecoder.ts"
import * as NetstringsDecoder from "../../src/framing/NetstringsDecoder.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { connected, live, MiB, type Memory, target, type Target } from "./attack.ts"
import { cpuMillis } from "./cpuTime.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const perByteMax = 4
/** What idle connections hold besides. */
const perConnectionBytes = 16_384

/** One byte on each socket in turn, with room for the peer's loop between, so that they arrive one by one. */
const drip = (sockets: ReadonlyArray<net.Socket>, bytes: Uint8Array) =>
  Effect.callback<void>((resume) => {
    let at = 0
    const more = () => {
      if (at === bytes.length) return resume(Effect.void)
      for (const socket of sockets) socket.write(bytes.subarray(at, at + 1))
      at++
      setImmediate(more)
    }
    more()
  })

const heapOf = ({ external, heapUsed }: Memory) => heapUsed + external

/** What the process holds for `bytes` on each of so many connections, per byte. */
const held = (attacked: Target, service: string, connections: number, bytes: Uint8Array, head = "") =>
  Effect.scoped(
    Effect.gen(function* () {
      const accepted = Effect.map(attacked.counts, (counts) => counts[service]!.accepted)
      const acceptedBefore = yield* accepted
      const sockets = yield* Effect.forEach(Array.from({ length: connections }), () =>
        connected(attacked.port(service))
      )
      for (const socket of sockets) if (head !== "") socket.write(head)
      yield* Effect.repeat(Effect.andThen(Effect.sleep("10 millis"), accepted), {
        until: (now) => now === acceptedBefore + connections
      })
      const before = yield* attacked.measure
      yield* drip(sockets, bytes)
      yield* Effect.sleep("100 millis")
      const after = yield* attacked.measure
      const wire = connections * bytes.length
      return Math.max(0, heapOf(after) - heapOf(before) - connections * perConnectionBytes) / wire
    })
  )

const pieces = 15_000
const connections = 8

describe("C5: tiny pieces that wait", () => {
  const cases = [
    // Nobody takes them: they wait in the transport.
    { service: "stuck", head: "x", bytes: Buffer.alloc(pieces, "A") },
    // Taken, and held by the decoder for want of an end.
    { service: "lines", head: "", bytes: Buffer.alloc(pieces, "A") },
    { service: "netstrings", head: "99999:", bytes: Buffer.alloc(pieces, "A") },
    { service: "lengthPrefixed", head: "\0\0\xff\xff", bytes: Buffer.alloc(pieces, "A") }
  ] as const
  for (const { bytes, head, service } of cases) {
    live(
      `${pieces} pieces of one byte, ${connections} times: ${service}`,
      Effect.gen(function* () {
        const attacked = yield* target([service])
        // What is compiled and allocated once is, then.
        yield* held(attacked, service, connections, bytes.subarray(0, 1_000), head)
        const perByte = yield* held(attacked, service, connections, bytes, head)
        assert.isBelow(perByte, perByteMax)
      })
    )
  }

  live(
    "131,072 empty lines, and netstrings, while one is being handled",
    Effect.gen(function* () {
      const attacked = yield* target(["stuckLines", "stuckNetstrings"])
      for (const [service, frame] of [
        ["stuckLines", "\r\n"],
        ["stuckNetstrings", "0:,"]
      ] as const) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const bytes = Buffer.from(frame.repeat(131_072))
            const before = yield* attacked.measure
            const socket = yield* connected(attacked.port(service))
            yield* Effect.callback<void>((resume) => void socket.write(bytes, () => resume(Effect.void)))
            yield* Effect.sleep("50 millis")
            const after = yield* attacked.measure
            assert.strictEqual(after.counts[service]!.open, 1)
            assert.isBelow((heapOf(after) - heapOf(before)) / bytes.length, perByteMax, service)
          })
        )
      }
    })
  )
})

v8.setFlagsFromString("--expose-gc")
const collect = vm.runInNewContext("gc") as () => void
v8.setFlagsFromString("--no-expose-gc")

describe("C5: tiny pieces that nobody takes", () => {
  // Each piece by itself would be an object of about 100 bytes for one of payload, several hundred over TCP.
  it.live("60,000 pieces of one byte wait in a transport", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const server = yield* Server.make(Endpoint.tcp({ port: 0 }), () => Effect.never, {
        drainTimeout: "1 millis"
      })
      const client = yield* reactor.connect(EndpointAddress.toClient(server.address))
      const bytes = new Uint8Array(60_000)
      const heap = Effect.sync(() => {
        collect()
        const { external, heapUsed } = process.memoryUsage()
        return heapUsed + external
      })
      const before = yield* heap
      yield* client.send(bytes)
      // A turn for each piece.
      yield* Effect.repeat(Effect.yieldNow, { times: bytes.length })
      const perByte = ((yield* heap) - before) / bytes.length
      assert.isBelow(perByte, perByteMax)
    }).pipe(Effect.scoped, quiet, Effect.provide(MemoryReactor.layer({ chunking: 1 })))
  )
})

/** A unit that comes again and again, or one frame of so many bytes. */
type Input = string | ((bytes: number) => Buffer)

const decoders: ReadonlyArray<readonly [string, () => Decoder<unknown>, Input]> = [
  ["lines", () => LinesDecoder.make(), "\r\n"],
  ["a long line", () => LinesDecoder.make({ lineBytesMax: 8 * MiB }), "A"],
  ["lines of one byte", () => LinesDecoder.make(), "A\r\n"],
  ["netstrings", () => NetstringsDecoder.make(), "0:,"],
  ["netstrings of one byte", () => NetstringsDecoder.make(), "1:A,"],
  ["frames behind their length", () => LengthPrefixedDecoder.make({ prefixBits: 8 }), "\x01A"],
  [
    "a long netstring",
    () => NetstringsDecoder.make({ netstringBytesMax: 8 * MiB }),
    (bytes) => Buffer.from(`${bytes}:${"A".repeat(bytes)},`)
  ],
  [
    "a long frame behind its length",
    () => LengthPrefixedDecoder.make({ frameBytesMax: 8 * MiB }),
    (bytes) => {
      const frame = Buffer.alloc(4 + bytes, "A")
      frame.writeUInt32BE(bytes)
      return frame
    }
  ],
  ["JSON", () => NdjsonDecoder.make(), "1\n"]
]

/** The system counts in ticks of some milliseconds: so many are measured at once. */
const measuredMillis = 60

/**
 * Whether twice as much takes less than 2.5 times as long: the best of each, as collections come when they come. What is not
 * linear stays so however often it is measured.
 */
const isLinear = Effect.fnUntraced(function* (size: number, work: (size: number) => Effect.Effect<void>) {
  let times = 0
  const begun = cpuMillis()
  for (; cpuMillis() - begun < measuredMillis; times++) yield* work(size)
  const millis = Effect.fnUntraced(function* (size: number) {
    const from = cpuMillis()
    for (let i = 0; i < times; i++) yield* work(size)
    return cpuMillis() - from
  })
  let once = Number.POSITIVE_INFINITY
  let twice = Number.POSITIVE_INFINITY
  const deadline = performance.now() + 8_000
  for (let round = 0; round < 2 || performance.now() < deadline; round++) {
    once = Math.min(once, yield* millis(size))
    twice = Math.min(twice, yield* millis(2 * size))
    if (twice / once < 2.5) return
    yield* Effect.sleep("1 millis")
  }
  assert.fail(`${once} ms for ${times} times ${size}, ${twice} ms for twice as many`)
})

describe("C5: tiny pieces take time in proportion", () => {
  for (const [name, make, input] of decoders) {
    it.live(`${name}, so many and twice as many, a byte at a time`, () => {
      const works = new Map<number, number>()
      const decode = (size: number) =>
        Effect.sync(() => {
          const bytes =
            typeof input === "string" ? Buffer.from(input.repeat(size / input.length), "latin1") : input(size)
          const decoder = make()
          for (let at = 0; at < bytes.length; at++) {
            decoder.push(bytes.subarray(at, at + 1))
            while (decoder.next() !== undefined) {
              // All of them.
            }
          }
          assert.isUndefined(decoder.failure)
          works.set(size, decoder.workBytes)
        })
      const size = name === "JSON" || typeof input !== "string" ? MiB / 8 : MiB / 2
      return Effect.gen(function* () {
        // Work is counted without a clock, as far as it is counted.
        yield* decode(size)
        yield* decode(2 * size)
        assert.isAtMost(works.get(2 * size)! / works.get(size)!, 2.2)
        yield* isLinear(size, decode)
      })
    })
  }

  it.live("through a transport: pieces of one byte that waited", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      /** Hands back `bytes` one-byte pieces, then takes them all. */
      const round = (bytes: number) =>
        Effect.gen(function* () {
          const server = yield* Server.make(Endpoint.tcp({ port: 0 }), () => Effect.never, {
            drainTimeout: "1 millis"
          })
          const client = yield* reactor.connect(EndpointAddress.toClient(server.address))
          const one = Uint8Array.of(65)
          for (let i = 0; i < bytes; i++) yield* client.unread(one)
          for (let i = 0; i < bytes;) i += (yield* client.receive).length
        }).pipe(Effect.scoped, Effect.provideService(Reactor, reactor), Effect.orDie)
      yield* isLinear(40_000, round)
    }).pipe(Effect.scoped, quiet, Effect.provide(MemoryReactor.layer()))
  )
})
