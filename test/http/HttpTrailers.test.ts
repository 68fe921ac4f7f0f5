/** Fields behind bodies (RFC 9110 §6.5), of requests and of answers. */
import { execFile } from "node:child_process"
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Compression from "../../src/http/Compression.ts"
import * as HttpTrailers from "../../src/http/HttpTrailers.ts"
import { curl, describePeer } from "../support/peers.ts"
import { asking, block, flags, frame, frames, headers, preface, serving2, types } from "./http2Kit.ts"
import { bodyOf, get, post, served, serving, statusOf, unchunked } from "./httpKit.ts"

/** Tells how many bytes came, and what was behind them. */
const counting = (
  respond: (stream: Stream.Stream<Uint8Array, unknown>) => HttpServerResponse.HttpServerResponse
) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest
    let bytes = 0
    const before = Object.keys(yield* HttpTrailers.received(request))
    yield* HttpTrailers.send(
      ["X-Bytes", "x-behind"],
      Effect.map(HttpTrailers.received(request), (behind) => ({
        "X-Bytes": String(bytes),
        "x-behind": JSON.stringify([before, behind])
      }))
    )
    const counted = Stream.tap(request.stream, (piece) => Effect.sync(() => void (bytes += piece.length)))
    return respond(counted)
  })

const forever = "host: other\r\ncookie: a=b\r\nauthorization: x\r\n"

const application = served(
  Layer.mergeAll(
    HttpRouter.add(
      "*",
      "/copy",
      counting((stream) => HttpServerResponse.stream(stream))
    ),
    HttpRouter.add(
      "*",
      "/text",
      counting(() => HttpServerResponse.text("text"))
    ),
    HttpRouter.add(
      "*",
      "/empty",
      counting(() => HttpServerResponse.empty({ status: 200 }))
    ),
    HttpRouter.add(
      "*",
      "/nothing",
      counting(() => HttpServerResponse.empty())
    ),
    HttpRouter.add(
      "GET",
      "/wrong",
      Effect.as(
        HttpTrailers.send(["x-name"], Effect.succeed({ "x-name": "a\r\nb: c" })),
        HttpServerResponse.text("part")
      )
    ),
    HttpRouter.add(
      "GET",
      "/length",
      Effect.as(HttpTrailers.send(["content-length"], Effect.succeed({})), HttpServerResponse.text("x"))
    ),
    HttpRouter.add(
      "GET",
      "/packed",
      Effect.as(
        HttpTrailers.send(["x-status"], Effect.succeed({ "x-status": "0" })),
        HttpServerResponse.text("packed ".repeat(1_000))
      )
    ).pipe(Layer.provideMerge(Compression.layer()))
  )
)

for (const kind of ["tcp", "memory"] as const) {
  describe(`trailers of HTTP/1.1 over ${kind}`, () => {
    it.live("are read behind the last chunk, less what must stand in front", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, {}, application)
        const chunked = (behind: string) =>
          `POST /copy HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n${behind}\r\n`
        const answer = yield* ask(chunked(`X-Sum: 7\r\n${forever}x-sum: 8\r\n`))
        assert.match(answer, /^trailer: x-bytes, x-behind\r$/im)
        assert.strictEqual(unchunked(bodyOf(answer)), "abc")
        assert.match(answer, /\r\n0\r\nx-bytes: 3\r\nx-behind: \[\[\],\{"x-sum":"7, 8"\}\]\r\n\r\n$/)
        const many = Array.from({ length: 200 }, (_, i) => `x-${i}: 1\r\n`).join("")
        assert.notMatch(yield* ask(chunked(many)), /x-bytes: 3/)
        // A length behind a coding: the parser takes it for an attack.
        assert.notMatch(yield* ask(chunked("content-length: 9\r\n")), /x-bytes: 3/)
        // As much as a header may have; nobody answers, or says it is too much.
        assert.notMatch(yield* ask(chunked(`x: ${"y".repeat(100_000)}\r\n`)), /yyy/)
        // Nothing but fields.
        assert.notMatch(yield* ask(chunked("GET / HTTP/1.1\r\n")), /x-bytes: 3/)
      })
    )

    it.live("follow whatever was answered, but nothing", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, {}, application)
        const text = yield* ask(get("/text"))
        assert.match(text, /\r\n\r\n4\r\ntext\r\n0\r\nx-bytes: 0\r\nx-behind: .*\r\n\r\n$/)
        assert.notMatch(text, /content-length/i)
        assert.match(yield* ask(get("/empty")), /\r\n\r\n0\r\nx-bytes: 0\r\n/)
        assert.notMatch(yield* ask(get("/nothing")), /x-bytes: 0/)
        assert.notMatch(yield* ask(get("/text").replace("GET", "HEAD")), /x-bytes: 0/)
        const old = yield* ask(post("/copy", "abc", "").replace("HTTP/1.1", "HTTP/1.0"))
        assert.match(old, /\r\n\r\nabc$/)
        assert.notMatch(old, /trailer/i)
        assert.match(
          yield* ask(get("/packed", "Accept-Encoding: gzip\r\nConnection: close\r\n")),
          /gzip[^]*x-status: 0\r\n\r\n$/
        )
      })
    )

    it.live("cannot be injected, and are of no kind that must stand in front", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, {}, application)
        const wrong = yield* ask(get("/wrong"))
        assert.notMatch(wrong, /b: c|\r\n0\r\n/)
        assert.strictEqual(statusOf(yield* ask(get("/length"))), "500")
      })
    )
  })

  describe(`trailers of HTTP/2 over ${kind}`, () => {
    it.live("are read and sent behind the body", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, {}, application)
        const client = yield* open()
        const asked = (path: string, body: string, behind: Record<string, string>) =>
          Effect.callback<readonly [string, http2.IncomingHttpHeaders]>((resume) => {
            const stream = client.request({ ":path": path, ":method": "POST" }, { waitForTrailers: true })
            let text = ""
            let fields: http2.IncomingHttpHeaders = {}
            stream.on("wantTrailers", () => stream.sendTrailers(behind))
            stream.on("data", (piece: Buffer) => void (text += piece.toString()))
            stream.on("trailers", (trailers: http2.IncomingHttpHeaders) => void (fields = trailers))
            stream.on("error", () => {})
            stream.on("close", () => resume(Effect.succeed([text, { ...fields }])))
            stream.end(body)
          })
        const [text, fields] = yield* asked("/copy", "abc", { "x-sum": "7", cookie: "a=b" })
        assert.deepStrictEqual(
          [text, fields["x-bytes"], fields["x-behind"]],
          ["abc", "3", '[[],{"x-sum":"7"}]']
        )
        const big = "x".repeat(300_000)
        assert.deepStrictEqual((yield* asked("/copy", big, {}))[0].length, big.length)
        assert.deepStrictEqual((yield* asked("/text", "", {}))[1]["x-bytes"], "0")
        const many = Object.fromEntries(Array.from({ length: 110 }, (_, i) => [`x-${i}`, "1"]))
        assert.strictEqual((yield* asked("/copy", "abc", many))[1]["x-behind"], "[[],{}]")
        assert.deepStrictEqual((yield* asked("/empty", "", {}))[1]["x-bytes"], "0")
      })
    )

    it.live("end the stream, once; pseudo fields are none (RFC 9113 §8.1)", () =>
      Effect.gen(function* () {
        const { connect } = yield* serving2(kind, {}, application)
        const transport = yield* connect
        const seen = yield* frames(
          transport,
          [preface, headers(1, asking("/text"))],
          (one) => one.id === 1 && (one.flags & flags.endStream) !== 0
        )
        assert.deepStrictEqual(
          seen.filter(({ id }) => id === 1).map((one) => [one.type, one.flags & flags.endStream]),
          [
            [types.headers, 0],
            [types.data, 0],
            [types.headers, 1]
          ]
        )
        const reset = yield* frames(
          transport,
          [
            headers(3, asking("/copy", "POST"), false),
            frame(types.data, 0, 3, Buffer.from("abc")),
            frame(types.headers, flags.endHeaders | flags.endStream, 3, block([[":path", "/"]]))
          ],
          ({ id, type }) => id === 3 && type === types.rstStream
        )
        assert.strictEqual(reset.at(-1)!.payload.readUInt32BE(), http2.constants.NGHTTP2_PROTOCOL_ERROR)
      })
    )
  })
}

describePeer(curl, (program) => {
  it.live("curl shows them, over both versions", () =>
    Effect.gen(function* () {
      const { bound } = yield* serving("tcp", { http2PriorKnowledge: true }, application)
      for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
        const said = yield* Effect.callback<string>((resume) => {
          const url = `http://${String(bound.address)}/copy`
          execFile(program, ["-si", "--max-time", "20", version, "-d", "abc", url], (_, out) =>
            resume(Effect.succeed(out))
          )
        })
        assert.match(said, /\r\n\r\nabcx-bytes: 3\r\n/)
      }
    })
  )
})
