/** C1: frames that never end, and lengths that lie, cost their limit at most, and their own connection. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  connected,
  live,
  MiB,
  noiseBytes,
  over,
  type Target,
  target,
  unharmed,
  writeBytewise,
  writeRepeatedly
} from "./attack.ts"

const sentMax = 256 * MiB
const piece = Buffer.alloc(65_536, "A")
/** The largest of the limits below, times the connections that are open at once. */
const limitBytes = 99_999

interface Case {
  readonly service: string
  /** What comes before the As. */
  readonly head: string
  readonly reason: string
  /** How far it goes before it is refused, a byte at a time. */
  readonly limit: number
}

const cases: ReadonlyArray<Case> = [
  { service: "lines", head: "", reason: "FrameTooLong", limit: 16_384 },
  { service: "linesPulled", head: "", reason: "FrameTooLong", limit: 16_384 },
  { service: "ndjson", head: '"', reason: "FrameTooLong", limit: 16_384 },
  { service: "framed", head: '{"text":"', reason: "FrameTooLong", limit: 16_384 },
  { service: "netstrings", head: "99999:", reason: "Malformed", limit: 99_999 },
  { service: "netstrings", head: "268435456:", reason: "FrameTooLong", limit: 9 },
  { service: "lengthPrefixed", head: "\xff\xff\xff\xff", reason: "FrameTooLong", limit: 4 },
  { service: "lengthPrefixed", head: "\0\x01\x86\xa0", reason: "FrameTooLong", limit: 4 },
  { service: "proxied", head: "PROXY TCP4 192.0.2.1 ", reason: "HeaderTooLong", limit: 107 },
  { service: "proxied", head: "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", reason: "HeaderTooLong", limit: 16 },
  { service: "sniff", head: "", reason: "Unrecognized", limit: 1_000 }
]

const services = [...new Set(cases.map(({ service }) => service))]

/** Every case, whole and a byte at a time. */
const round = Effect.fnUntraced(function* (attacked: Target) {
  for (const { head, limit, service } of cases) {
    for (const bytewise of [false, true]) {
      const socket = yield* connected(attacked.port(service))
      socket.write(Buffer.from(head, "latin1"))
      const all = Buffer.alloc(limit + 1, "A")
      const [{ after }, written] = yield* Effect.all(
        [
          over(socket),
          bytewise ? Effect.as(writeBytewise(socket, all), 0) : writeRepeatedly(socket, piece, sentMax)
        ],
        { concurrency: "unbounded" }
      )
      const what = `${service} ${JSON.stringify(head)}, ${bytewise ? "a byte at a time" : "whole"}`
      assert.isBelow(after, 5_000, what)
      // Who is not read any more does not get rid of all of it.
      assert.isBelow(written, sentMax, what)
      socket.destroy()
    }
  }
})

describe("C1: frames without an end", () => {
  live(
    "256 MiB of As at each framing: its own error, a prompt end, memory as before",
    Effect.gen(function* () {
      const attacked = yield* target(services)
      // The first round compiles and allocates what stays.
      yield* round(attacked)
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* attacked.forgetMax
      yield* round(attacked)
      yield* attacked.quiet
      const after = yield* attacked.measure
      const { reasons } = after
      for (const [reason, of] of Map.groupBy(cases, ({ reason }) => reason)) {
        assert.strictEqual(reasons[reason], 4 * of.length, JSON.stringify(reasons))
      }
      unharmed(before, after)
      assert.isBelow(after.resident - before.resident, 2 * limitBytes + noiseBytes)
      // Nor meanwhile.
      assert.isBelow(after.residentMax - before.resident, 2 * limitBytes + 2 * noiseBytes)
    })
  )

  live(
    "a length that is announced and does not come costs what has come",
    Effect.gen(function* () {
      const attacked = yield* target(["lengthPrefixed", "netstrings"])
      const before = yield* attacked.measure
      const connections = 300
      for (const [service, head] of [
        ["lengthPrefixed", "\0\x01\x86\x9f0123456789"],
        ["netstrings", "99999:0123456789"]
      ] as const) {
        yield* Effect.forEach(
          Array.from({ length: connections }),
          () =>
            Effect.tap(connected(attacked.port(service)), (socket) =>
              Effect.sync(() => socket.write(Buffer.from(head, "latin1")))
            ),
          { concurrency: 50 }
        )
      }
      yield* Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), attacked.counts), {
        until: ({ lengthPrefixed, netstrings }) =>
          lengthPrefixed!.open === connections && netstrings!.open === connections
      })
      const { resident } = yield* attacked.measure
      // They announced 60 MB.
      assert.isBelow(resident - before.resident, 2 * connections * 12_288 + noiseBytes)
    })
  )
})
