/** Peers that cost more than they pay: each is told to calm down, or cut, and others are served. */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import {
  ask,
  asking,
  block,
  flags,
  frame,
  frames,
  get2,
  goawayOf,
  headers,
  post2,
  preface,
  serving2,
  types,
  u32
} from "./http2Kit.ts"
import { served } from "./httpKit.ts"

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR } = http2.constants

const many = (count: number, make: (i: number) => Uint8Array): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let i = 0; i < count; i += 1_000) {
    pieces.push(Buffer.concat(Array.from({ length: Math.min(1_000, count - i) }, (_, at) => make(i + at))))
  }
  return pieces
}

const idOf = (i: number): number => 2 * i + 1

/** What is sent behind the preface, and the codes that the connection may end with. */
const floods: Readonly<
  Record<string, readonly [ReadonlyArray<Uint8Array>, ReadonlyArray<number | undefined>]>
> = {
  "rapid reset (CVE-2023-44487)": [
    many(20_000, (i) =>
      Buffer.concat([headers(idOf(i), asking("/gate")), frame(types.rstStream, 0, idOf(i), u32(8))])
    ),
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR]
  ],
  "resets that it is made to send (CVE-2025-8671)": [
    many(20_000, (i) =>
      Buffer.concat([headers(idOf(i), asking("/gate"), false), frame(types.windowUpdate, 0, idOf(i), u32(0))])
    ),
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR]
  ],
  "headers that never end (CVE-2024-27983)": [
    [
      frame(types.headers, 0, 1, block(asking("/"))),
      ...many(20_000, (i) => frame(types.continuation, 0, 1, block([[`x-${i}`, "1"]])))
    ],
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR]
  ],
  "empty parts of headers (CVE-2019-9516)": [
    [frame(types.headers, 0, 1, block(asking("/"))), ...many(20_000, () => frame(types.continuation, 0, 1))],
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR]
  ],
  "pings (CVE-2019-9512)": [
    many(50_000, () => frame(types.ping, 0, 0, Buffer.alloc(8))),
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR]
  ],
  "settings (CVE-2019-9515)": [
    many(50_000, () => frame(types.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0xff, 0xff]))),
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR]
  ],
  "empty data (CVE-2019-9518)": [
    [headers(1, asking("/text", "POST"), false), ...many(50_000, () => frame(types.data, 0, 1))],
    // Node closes it without a word.
    [NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, undefined]
  ],
  "windows beyond their bounds": [
    [headers(1, asking("/endless")), ...many(3, () => frame(types.windowUpdate, 0, 0, u32(2 ** 31 - 1)))],
    [http2.constants.NGHTTP2_FLOW_CONTROL_ERROR]
  ],
  "more data than its window": [
    [
      headers(1, asking("/stream", "POST"), false),
      ...many(200, () => frame(types.data, 0, 1, Buffer.alloc(16_384)))
    ],
    [http2.constants.NGHTTP2_FLOW_CONTROL_ERROR]
  ],
  "frames that are too long": [
    [frame(types.data, 0, 1, Buffer.alloc(16_385))],
    [http2.constants.NGHTTP2_FRAME_SIZE_ERROR]
  ]
}

for (const kind of ["tcp", "memory"] as const) {
  describe(`floods of HTTP/2 over ${kind}`, () => {
    for (const [name, [pieces, codes]] of Object.entries(floods)) {
      it.live(name, () =>
        Effect.gen(function* () {
          const { bound, connect, open } = yield* serving2(kind)
          const transport = yield* connect
          const seen = yield* frames(transport, [preface, ...pieces])
          const reset = seen.findLast(({ type }) => type === types.rstStream)?.payload.readUInt32BE()
          assert.include(codes, goawayOf(seen) ?? reset)
          const client = yield* open()
          assert.strictEqual((yield* ask(client, get2("/"))).body, "hello")
          const { active, requests } = yield* bound.counts
          assert.strictEqual(active, 0)
          assert.isBelow(requests, 3_000)
        })
      )
    }

    it.live("handlers that take their time to end are counted, though nobody waits for them", () =>
      Effect.gen(function* () {
        let running = 0
        let most = 0
        const stubborn = Effect.sync(() => {
          most = Math.max(most, ++running)
        }).pipe(
          Effect.andThen(Effect.sleep("1 second")),
          Effect.uninterruptible,
          Effect.ensuring(Effect.sync(() => void running--)),
          Effect.as(HttpServerResponse.empty())
        )
        const application = served(HttpRouter.add("GET", "/stubborn", stubborn))
        const { connect } = yield* serving2(kind, { streamsMax: 10 }, application)
        const transport = yield* connect
        yield* transport.send(preface)
        const sending = Effect.gen(function* () {
          for (let i = 0; ; i++) {
            yield* transport.send(headers(idOf(i), asking("/stubborn")))
            yield* Effect.sleep("2 millis")
            yield* transport.send(frame(types.rstStream, 0, idOf(i), u32(8)))
          }
        })
        yield* Effect.forkChild(Effect.ignore(sending))
        assert.strictEqual(goawayOf(yield* frames(transport, [])), NGHTTP2_ENHANCE_YOUR_CALM)
        assert.strictEqual(most, 20)
      })
    )

    it.live("pings whose answers are read, too", () =>
      Effect.gen(function* () {
        const { connect } = yield* serving2(kind)
        const transport = yield* connect
        const hundred = Buffer.concat(
          Array.from({ length: 100 }, () => frame(types.ping, 0, 0, Buffer.alloc(8)))
        )
        yield* transport.send(preface)
        for (let i = 0; i < 30; i++) {
          let acks = 0
          const seen = yield* frames(
            transport,
            [hundred],
            ({ type }) => type === types.goaway || (type === types.ping && ++acks === 100)
          )
          const code = goawayOf(seen)
          if (code === undefined) continue
          assert.strictEqual(code, NGHTTP2_ENHANCE_YOUR_CALM)
          return assert.isAbove(i, 8)
        }
        assert.fail("it was never told to calm down")
      })
    )

    it.live("a compressed header that is large when it is not", () =>
      Effect.gen(function* () {
        const { bound, connect } = yield* serving2(kind)
        const transport = yield* connect
        // One entry of the table, of almost its size, and then references to it, a byte each (RFC 7541 §6.1).
        const entry = Buffer.concat([
          Buffer.of(0x40, 1),
          Buffer.from("x"),
          Buffer.of(127, 0x81, 0x1e),
          Buffer.alloc(127 + 1 + 0x1e * 128, "y")
        ])
        const bomb = Buffer.concat([block(asking("/")), entry, Buffer.alloc(16_000 - entry.length, 0xbe)])
        const seen = yield* frames(
          transport,
          [preface, frame(types.headers, flags.endHeaders | flags.endStream, 1, bomb)],
          ({ id, type }) => type === types.rstStream && id === 1
        )
        assert.strictEqual(seen.at(-1)?.payload.readUInt32BE(), NGHTTP2_ENHANCE_YOUR_CALM)
        assert.strictEqual((yield* bound.counts).requests, 0)
      })
    )

    it.live("one that asks much, and waits for the answers, is served", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind)
        const client = yield* open()
        for (let i = 0; i < 20; i++) {
          const answers = yield* Effect.all(
            Array.from({ length: 100 }, () => ask(client, post2("/text"), "x")),
            { concurrency: "unbounded" }
          )
          assert.isTrue(answers.every(({ body }) => body === "x"))
        }
      })
    )
  })
}
