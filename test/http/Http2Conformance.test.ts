/** RFC 9113 and RFC 7541, section by section, by frames made by hand. Fields that are malformed: `Http2Smuggling`; floods: `Http2Floods`. */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Transport } from "../../src/reactor/Transport.ts"
import { type Case, cases } from "./http2Cases.ts"
import { cases as hpackCases } from "./hpackCases.ts"
import { flags, frame, frames, goawayOf, preface, type Seen, serving2, types } from "./http2Kit.ts"

const codes = new Map(
  Object.entries(http2.constants).flatMap(([name, value]): ReadonlyArray<readonly [number, string]> =>
    /^NGHTTP2_(NO_ERROR|[A-Z_]*_ERROR|STREAM_CLOSED|CANCEL|ENHANCE_YOUR_CALM|REFUSED_STREAM)$/.test(name) &&
    !name.startsWith("NGHTTP2_ERR") &&
    typeof value === "number"
      ? [[value, name.slice("NGHTTP2_".length)]]
      : []
  )
)

const isPong = ({ flags: seen, payload, type }: Seen, mark: string) =>
  type === types.ping && (seen & flags.ack) !== 0 && payload.toString() === mark
/** A GOAWAY without an error leaves room for answers. */
const isOver = ({ id, payload, type }: Seen) =>
  (type === types.goaway && payload.readUInt32BE(4) !== 0) || (id > 0 && type === types.rstStream)
const isLast = (one: Seen) =>
  one.id > 0 && (one.type === types.headers || one.type === types.data) && (one.flags & flags.endStream) !== 0
const ping = (mark: string) => frame(types.ping, 0, 0, Buffer.from(mark))

const ended = (seen: ReadonlyArray<Seen>): string | undefined => {
  const goaway = goawayOf(seen)
  if (goaway !== undefined && goaway !== 0) return `goaway ${codes.get(goaway)}`
  const reset = seen.find(({ id, type }) => id > 0 && type === types.rstStream)
  if (reset !== undefined) return `reset ${codes.get(reset.payload.readUInt32BE())}`
  return seen.some(isLast) ? "answered" : undefined
}

const outcome = (transport: Transport, { opening = preface, outcome: expected, pieces }: Case) =>
  Effect.gen(function* () {
    const answers = expected === "answered"
    const first = yield* frames(
      transport,
      [opening, ...pieces, ...(answers ? [] : [ping("first___")])],
      (one) => isOver(one) || (answers ? isLast(one) : isPong(one, "first___"))
    )
    const said = ended(first)
    if (said !== undefined || !first.some((one) => isPong(one, "first___"))) return said ?? "closed"
    // What was to be said of it is behind the first answer, and in front of this one.
    const second = yield* frames(
      transport,
      [ping("second__")],
      (one) => isOver(one) || isPong(one, "second__")
    )
    return ended(second) ?? (second.some((one) => isPong(one, "second__")) ? "goes on" : "closed")
  })

for (const kind of ["tcp", "memory"] as const) {
  for (const [title, table] of [
    ["RFC 9113", cases],
    ["RFC 7541", hpackCases]
  ] as const) {
    describe(`${title} over ${kind}`, () => {
      for (const [section, all] of Object.entries(table)) {
        describe(`§${section}`, () => {
          for (const one of all) {
            it.live(one.name, () =>
              Effect.gen(function* () {
                const { bound, connect } = yield* serving2(kind, {
                  interruptTimeout: "10 millis",
                  drainTimeout: 0
                })
                assert.include([one.outcome, one.also], yield* outcome(yield* connect, one))
                // Whatever was sent, the next one is served.
                const next = { name: "", pieces: [frame(types.settings, 0, 0)], outcome: "goes on" }
                assert.strictEqual(yield* outcome(yield* connect, next), "goes on")
                assert.isAtMost((yield* bound.counts).requests, 2)
              })
            )
          }
        })
      }
    })
  }
}
