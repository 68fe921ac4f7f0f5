/** Answers in gzip, brotli, zstd and deflate. */
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Compression from "../../src/http/Compression.ts"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import * as NodeCompression from "../../src/node/NodeCompression.ts"
import { asking, directory, write } from "./staticKit.ts"
import { unchunked } from "./httpKit.ts"

const page = "<p>all work and no play</p>\n".repeat(400)
const bytes = new TextEncoder().encode(page)

const decoders: Readonly<Record<NodeCompression.Coding, (bytes: Uint8Array) => Buffer>> = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync
}

describe("Compression", () => {
  for (const coding of NodeCompression.codings) {
    it.live(`${coding}: whole, and in pieces`, () =>
      Effect.gen(function* () {
        const whole = yield* NodeCompression.compress(bytes, coding)
        assert.isBelow(whole.length, bytes.length / 10)
        assert.strictEqual(decoders[coding](whole).toString(), page)
        const pieces = Stream.fromIterable([bytes.subarray(0, 100), bytes.subarray(100), new Uint8Array(0)])
        const coded = yield* Stream.runCollect(NodeCompression.stream(pieces, coding))
        assert.strictEqual(decoders[coding](Buffer.concat([...coded])).toString(), page)
        const none = yield* Stream.runCollect(NodeCompression.stream(Stream.empty, coding))
        assert.strictEqual(decoders[coding](Buffer.concat([...none])).length, 0)
      })
    )

    it.live(`${coding}: a piece does not wait for the next one`, () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const pieces = Stream.concat(
          Stream.make(bytes),
          Stream.fromEffect(Effect.as(Deferred.await(gate), bytes))
        )
        let got = 0
        const coded = yield* Stream.runCollect(
          Stream.tap(NodeCompression.stream(pieces, coding), (piece) => {
            got += piece.length
            return Deferred.succeed(gate, undefined)
          })
        )
        assert.isAbove(got, 0)
        assert.strictEqual(decoders[coding](Buffer.concat([...coded])).toString(), page + page)
      })
    )
  }

  it.live("what is asked for, and worth it", () =>
    Effect.gen(function* () {
      const html = (text: string, headers?: Record<string, string>) =>
        HttpServerResponse.text(text, { contentType: "text/html", headers: { etag: '"a"', ...headers } })
      const { get, send } = yield* asking(
        Layer.mergeAll(
          Compression.layer({ algorithms: ["zstd", "br", "gzip"] }),
          HttpRouter.add("GET", "/page", html(page)),
          HttpRouter.add("GET", "/short", html("short")),
          HttpRouter.add("GET", "/secret", html(page, { "cache-control": "no-transform" })),
          HttpRouter.add("GET", "/png", HttpServerResponse.uint8Array(bytes, { contentType: "image/png" })),
          HttpRouter.add(
            "GET",
            "/stream",
            HttpServerResponse.stream(Stream.make(bytes, bytes), { contentType: "text/plain" })
          )
        )
      )
      const gzip = { "accept-encoding": "gzip" }
      const page1 = yield* get("/page", gzip)
      assert.strictEqual(page1.headers["content-encoding"], "gzip")
      assert.strictEqual(page1.headers["vary"], "Accept-Encoding")
      assert.strictEqual(page1.headers["etag"], 'W/"a"')
      assert.isBelow(Number(page1.headers["content-length"]), bytes.length / 10)
      assert.strictEqual(
        (yield* get("/page", { "accept-encoding": "br, zstd" })).headers["content-encoding"],
        "zstd"
      )
      assert.strictEqual((yield* get("/page")).body, page)
      assert.strictEqual((yield* get("/page", { "accept-encoding": "gzip;q=0" })).body, page)
      for (const target of ["/short", "/secret", "/png"])
        assert.deepStrictEqual(
          [target, (yield* get(target, gzip)).headers["content-encoding"]],
          [target, undefined]
        )
      const stream = yield* get("/stream", gzip)
      assert.strictEqual(stream.headers["content-encoding"], "gzip")
      assert.isBelow(unchunked(stream.body).length, bytes.length / 10)
      assert.strictEqual((yield* send("HEAD", "/page", gzip)).body, "")
    })
  )

  it.live("HEAD says what GET would, or nothing of the length", () =>
    Effect.gen(function* () {
      const root = yield* directory
      write(root, "page.html", page)
      write(root, "long.html", page.repeat(10))
      write(root, "short.html", "short")
      write(root, "page.png", page)
      const routes = Layer.mergeAll(
        Compression.layer(),
        HttpRouter.add("GET", "/text", HttpServerResponse.text(page)),
        HttpRouter.add("GET", "/none", HttpServerResponse.empty()),
        StaticFiles.layer({ root, prefix: "/files" })
      )
      const { send } = yield* asking(routes, "tcp")
      const told = Effect.fnUntraced(function* (method: string, target: string, coding: string) {
        const { headers, status } = yield* send(method, target, { "accept-encoding": coding })
        const {
          connection: _,
          date: __,
          "content-length": length,
          "transfer-encoding": chunked,
          ...others
        } = headers
        return { chunked, length, others: { status, ...others } }
      })
      const names = [
        "/text",
        "/none",
        ...["page.html", "long.html", "short.html", "page.png"].map((_) => `/files/${_}`)
      ]
      for (const target of names)
        for (const coding of ["identity", "gzip", "br"]) {
          const get = yield* told("GET", target, coding)
          const head = yield* told("HEAD", target, coding)
          assert.deepStrictEqual([target, coding, head.others], [target, coding, get.others])
          assert.include([get.length, undefined], head.length)
          assert.isUndefined(head.chunked)
          if (coding === "identity") assert.strictEqual(head.length, get.length)
        }
      assert.strictEqual((yield* told("HEAD", "/files/page.html", "gzip")).length, undefined)
    })
  )
})
