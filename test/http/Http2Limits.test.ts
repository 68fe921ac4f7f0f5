/** What a server of HTTP/2 bears, and for how long. */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as certificates from "../support/certificates.ts"
import {
  ask,
  asking,
  closed,
  frame,
  frames,
  get2,
  goawayOf,
  headers,
  hello,
  post2,
  preface,
  serving2,
  types,
  u32
} from "./http2Kit.ts"
import { bodiesOf, served } from "./httpKit.ts"

const {
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM
} = http2.constants
const fork = { startImmediately: true } as const

for (const kind of ["tcp", "tls", "memory"] as const) {
  describe.skipIf(kind === "tls" && !certificates.available)(`limits of HTTP/2 over ${kind}`, () => {
    it.live("bodies, told and untold", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { bodyBytesMax: 1_000 })
        const client = yield* open()
        assert.strictEqual((yield* ask(client, post2("/text"), "x".repeat(1_000))).status, 200)
        assert.strictEqual((yield* ask(client, post2("/text"), "x".repeat(1_001))).status, 413)
        const told = yield* ask(client, post2("/text", { "content-length": 5_000 }), "x".repeat(5_000))
        assert.strictEqual(told.status, 413)
        const endless = yield* ask(client, post2("/text"), Buffer.alloc(5_000_000))
        assert.strictEqual(endless.status, 413)
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
      })
    )

    it.live("bodies of one route, which stand above the server's", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { bodyBytesMax: 1_000 }, served(bodiesOf))
        const client = yield* open()
        for (const [path, bytes] of [
          ["/small", 10],
          ["/usual", 1_000],
          ["/large", 2_000_000]
        ] as const) {
          assert.strictEqual((yield* ask(client, post2(path), "x".repeat(bytes))).body, String(bytes))
          assert.strictEqual((yield* ask(client, post2(path), "x".repeat(bytes + 1))).status, 413)
        }
      })
    )

    it.live("connections, of all and of one peer", () =>
      Effect.gen(function* () {
        for (const limit of [{ connectionsMax: 1 }, { connectionsPerPeerMax: 1 }]) {
          const { bound, connect, open } = yield* serving2(kind, limit)
          const client = yield* open()
          assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
          assert.deepStrictEqual(
            yield* Effect.orElseSucceed(
              Effect.flatMap(connect, (_) => frames(_, [preface])),
              () => []
            ),
            []
          )
          assert.strictEqual((yield* bound.counts).refused, 1)
        }
      })
    )

    it.live("refuses before it says 100 Continue, and says so when the body is wanted", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { bodyBytesMax: 1_000 })
        const client = yield* open()
        const expecting = (length: number) =>
          Effect.callback<readonly [boolean, number | undefined]>((resume) => {
            let continued = false
            const stream = client.request(
              post2("/text", { expect: "100-continue", "content-length": length }),
              { endStream: false }
            )
            stream.on("continue", () => {
              continued = true
              stream.end("x".repeat(length))
            })
            stream.on("response", (answer) => {
              resume(Effect.succeed([continued, answer[":status"]]))
              stream.close()
            })
            stream.on("error", () => {})
          })
        assert.deepStrictEqual(yield* expecting(1_000), [true, 200])
        assert.deepStrictEqual(yield* expecting(1_001), [false, 413])
        assert.strictEqual((yield* ask(client, get2("/", { expect: "the-moon" }))).status, 417)
      })
    )

    it.live("fields, their bytes, and the target", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { headersMax: 20, headerBytesMax: 4_000, targetBytesMax: 500 })
        const client = yield* open()
        const many = (count: number) =>
          Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]))
        assert.strictEqual((yield* ask(client, get2("/", many(20)))).status, 200)
        assert.strictEqual((yield* ask(client, get2("/", many(21)))).status, 431)
        assert.strictEqual((yield* ask(client, get2("/", many(500)))).code, NGHTTP2_ENHANCE_YOUR_CALM)
        assert.strictEqual((yield* ask(client, get2("/", { "x-a": "x".repeat(3_500) }))).status, 200)
        assert.strictEqual((yield* ask(client, get2("/", { "x-a": "x".repeat(4_000) }))).status, 431)
        assert.strictEqual(
          (yield* ask(client, get2("/", { "x-a": "x".repeat(20_000) }))).code,
          NGHTTP2_ENHANCE_YOUR_CALM
        )
        assert.strictEqual((yield* ask(client, get2(`/${"x".repeat(500)}`))).status, 414)
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
      })
    )

    it.live("streams at once, and requests on one connection", () =>
      Effect.gen(function* () {
        const { bound, connect, gate, open } = yield* serving2(kind, {
          streamsMax: 3,
          requestsPerConnectionMax: 5
        })
        const transport = yield* connect
        const five = [1, 3, 5, 7, 9].map((id) => headers(id, asking("/gate")))
        const seen = yield* frames(
          transport,
          [hello, ...five],
          ({ id, type }) => type === types.rstStream && id === 9
        )
        const refused = seen.filter(({ type }) => type === types.rstStream)
        assert.deepStrictEqual(
          refused.map(({ id, payload }) => [id, payload.readUInt32BE()]),
          [
            [7, NGHTTP2_REFUSED_STREAM],
            [9, NGHTTP2_REFUSED_STREAM]
          ]
        )
        assert.strictEqual((yield* bound.counts).active, 3)
        // Who knows the limit, and goes beyond, is in error.
        const knowing = yield* frames(yield* connect, [preface, ...five])
        assert.strictEqual(goawayOf(knowing), NGHTTP2_PROTOCOL_ERROR)
        yield* Deferred.succeed(gate.open, undefined)
        const client = yield* open()
        for (let i = 0; i < 5; i++) assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
        yield* closed(client)
      })
    )

    it.live("time: to begin, between requests, for a body", () =>
      Effect.gen(function* () {
        const { connect, open } = yield* serving2(kind, {
          headerTimeout: "300 millis",
          keepAliveTimeout: "300 millis",
          requestTimeout: "400 millis"
        })
        const [silent, half, begun] = yield* Effect.all([connect, connect, connect])
        const seen = yield* Effect.all(
          [
            frames(silent, []),
            frames(half, [preface.subarray(0, 10)]),
            // A header that never ends.
            frames(begun, [preface, frame(types.headers, 0, 1, new Uint8Array(0))])
          ],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(goawayOf(seen[2]), NGHTTP2_NO_ERROR)
        const client = yield* open()
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
        yield* closed(client)
        const slow = yield* open()
        const answered = yield* Effect.callback<number | undefined>((resume) => {
          const stream = slow.request(post2("/text"), { endStream: false })
          stream.on("response", (answer) => resume(Effect.succeed(answer[":status"])))
          stream.on("error", () => {})
          stream.write("x")
        })
        assert.strictEqual(answered, 408)
      })
    )

    it.live("peers that take nothing, of one stream or of all", () =>
      Effect.gen(function* () {
        const { bound, connect, open } = yield* serving2(kind, { sendTimeout: "400 millis" })
        const transport = yield* connect
        // The window of this stream is never opened, while others go on.
        const seen = yield* frames(
          transport,
          [preface, headers(1, asking("/endless")), headers(3, asking("/"))],
          ({ id, type }) => type === types.rstStream && id === 1
        )
        assert.strictEqual(seen.at(-1)?.payload.readUInt32BE(), NGHTTP2_CANCEL)
        assert.isTrue(seen.some(({ id, type }) => id === 3 && type === types.data))
        // Windows are open, and nothing is read.
        const deaf = yield* connect
        yield* deaf.send(
          Buffer.concat([
            preface,
            frame(types.settings, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])),
            frame(types.windowUpdate, 0, 0, u32(2 ** 30)),
            headers(1, asking("/endless"))
          ])
        )
        while ((yield* bound.counts).active > 0) yield* Effect.sleep("20 millis")
        const client = yield* open()
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
      })
    )

    it.live("does not cut who takes something now and then", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, {
          sendTimeout: "500 millis",
          bodyBytesMax: Number.POSITIVE_INFINITY
        })
        const client = yield* open()
        const size = 700_000
        const read = yield* Effect.forkChild(
          Effect.callback<number>((resume) => {
            const stream = client.request(post2("/text"), { endStream: false })
            stream.end(Buffer.alloc(size))
            let bytes = 0
            stream.on("data", (piece: Buffer) => {
              bytes += piece.length
              stream.pause()
              setTimeout(() => stream.resume(), 15)
            })
            stream.on("error", () => {})
            stream.on("close", () => resume(Effect.succeed(bytes)))
          }),
          fork
        )
        assert.strictEqual(yield* Fiber.join(read), size)
      })
    )
  })
}
