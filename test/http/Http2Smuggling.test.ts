/** What HTTP/2 would let through, and somebody behind might understand otherwise (RFC 9113 §8.2, §8.3, §10.3). */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import {
  asking,
  block,
  flags,
  frame,
  frames,
  headers,
  preface,
  type Seen,
  serving2,
  types
} from "./http2Kit.ts"
import { served } from "./httpKit.ts"

type Fields = ReadonlyArray<readonly [string, string]>

const { NGHTTP2_PROTOCOL_ERROR } = http2.constants
const plain = asking("/")
const withField = (name: string, value: string): Fields => [...plain, [name, value]]
const without = (name: string): Fields => plain.filter(([key]) => key !== name)
const instead = (name: string, value: string): Fields =>
  plain.map((field) => (field[0] === name ? [name, value] : field))

/** Reset by nghttp2: no application sees it. */
const malformed: Readonly<Record<string, Fields>> = {
  connection: withField("connection", "close"),
  "keep-alive": withField("keep-alive", "1"),
  "proxy-connection": withField("proxy-connection", "close"),
  "transfer-encoding": withField("transfer-encoding", "chunked"),
  upgrade: withField("upgrade", "websocket"),
  te: withField("te", "gzip"),
  "a name with capitals": withField("X-Name", "1"),
  "a pseudo field behind others": [["x-name", "1"], ...plain],
  "a pseudo field twice": [[":path", "/other"], ...plain],
  "two authorities": [[":authority", "other"], ...plain],
  "an unknown pseudo field": [[":name", "1"], ...plain],
  "one of answers": [[":status", "200"], ...plain],
  "no authority": without(":authority"),
  "an empty authority": instead(":authority", ""),
  "an authority with a path": instead(":authority", "a/b"),
  "an authority with a user": instead(":authority", "user@a"),
  "a path that is a whole URL": instead(":path", "http://other/"),
  "a star that is not OPTIONS": instead(":path", "*"),
  "no method": without(":method"),
  "no path": without(":path"),
  "no scheme": without(":scheme"),
  "an empty path": instead(":path", ""),
  "a space in the method": instead(":method", "GET / HTTP/1.1"),
  "a line feed in the path": instead(":path", "/ HTTP/1.1\r\nx: y"),
  "a length that is none": withField("content-length", "+5"),
  "two lengths": [...plain, ["content-length", "0"], ["content-length", "5"]],
  "a length, and no body": withField("content-length", "5"),
  ":protocol of a GET": [[":protocol", "websocket"], ...plain]
}

/** Fields that nghttp2 drops without a word: no application sees them. */
const dropped: Readonly<Record<string, Fields>> = {
  "an empty name": withField("", "1"),
  "a space in a name": withField("x name", "1"),
  "a colon in a name": withField("x:name", "1"),
  "a line feed in a name": withField("x\nname", "1"),
  "a line feed in a value": withField("x-name", "a\r\ntransfer-encoding: chunked"),
  "a NUL in a value": withField("x-name", "a\0b")
}

/** Answered so. */
const refused: Readonly<Record<string, readonly [number, Fields]>> = {
  "a host that is another": [400, withField("host", "other")],
  CONNECT: [
    501,
    [
      [":method", "CONNECT"],
      [":authority", "a:1"]
    ]
  ],
  "CONNECT for a protocol that nobody has": [
    501,
    [[":protocol", "connect-udp"], ...instead(":method", "CONNECT")]
  ],
  "the same host twice": [200, withField("host", "spindle")],
  "a host instead of an authority": [200, [...without(":authority"), ["host", "spindle"]]],
  "trailers wanted": [200, withField("te", "trailers")]
}

/** The kind of frame that answers stream 1, and what it says. */
const outcome = (kind: "tcp" | "memory", pieces: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function* () {
    const names: Array<string> = []
    const application = served(
      HttpRouter.add(
        "*",
        "/*",
        Effect.gen(function* () {
          const { headers, text } = yield* HttpServerRequest
          names.push(...Object.keys(headers))
          return HttpServerResponse.text(yield* text)
        })
      )
    )
    const { bound, connect } = yield* serving2(kind, {}, application)
    const transport = yield* connect
    const seen = yield* frames(
      transport,
      [preface, ...pieces],
      ({ id, type }) =>
        type === types.goaway || (id === 1 && (type === types.rstStream || type === types.headers))
    )
    const last = seen.at(-1)!
    const { requests } = yield* bound.counts
    return { last, names, requests }
  })

const codeOf = ({ payload, type }: Seen): number => payload.readUInt32BE(type === types.goaway ? 4 : 0)

/** Of the answer's first field: an entry of the static table, or a literal of its name (RFC 7541 §6.1, Appendix A). */
const statusOf = (payload: Buffer): number => {
  const known: Readonly<Record<number, number>> = { 0x88: 200, 0x8c: 400, 0x8d: 404 }
  // The table may have been made smaller first.
  const at = (payload[0]! & 0xe0) === 0x20 ? 1 : 0
  const first = payload[at]!
  return known[first] ?? Number(statusText(payload.subarray(at + 1)))
}
const statusText = (bytes: Buffer): string => {
  const length = bytes[0]! & 0x7f
  if ((bytes[0]! & 0x80) === 0) return bytes.subarray(1, 1 + length).toString()
  // Digits, in Huffman's code: 5 bits for 0 to 2, 6 for the others (RFC 7541, Appendix B).
  const bits = [...bytes.subarray(1, 1 + length)].map((byte) => byte.toString(2).padStart(8, "0")).join("")
  let text = ""
  for (let at = 0; text.length < 3;) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2)
    if (short <= 2) {
      text += short
      at += 5
    } else {
      text += Number.parseInt(bits.slice(at, at + 6), 2) - 0x19 + 3
      at += 6
    }
  }
  return text
}

for (const kind of ["tcp", "memory"] as const) {
  describe(`what is refused of HTTP/2 over ${kind}`, () => {
    it.live("a request as it should be", () =>
      Effect.gen(function* () {
        const { last, requests } = yield* outcome(kind, [headers(1, plain)])
        assert.deepStrictEqual([last.type, statusOf(last.payload), requests], [types.headers, 200, 1])
      })
    )

    for (const [name, fields] of Object.entries(malformed)) {
      it.live(name, () =>
        Effect.gen(function* () {
          const { last, requests } = yield* outcome(kind, [headers(1, fields)])
          assert.strictEqual(requests, 0)
          assert.include([types.rstStream, types.goaway], last.type)
          assert.strictEqual(codeOf(last), NGHTTP2_PROTOCOL_ERROR)
        })
      )
    }

    for (const [name, fields] of Object.entries(dropped)) {
      it.live(name, () =>
        Effect.gen(function* () {
          const { last, names } = yield* outcome(kind, [headers(1, fields)])
          assert.deepStrictEqual([statusOf(last.payload), names], [200, ["host"]])
        })
      )
    }

    for (const [name, [status, fields]] of Object.entries(refused)) {
      it.live(name, () =>
        Effect.gen(function* () {
          const { last, requests } = yield* outcome(kind, [headers(1, fields)])
          assert.deepStrictEqual([last.type, statusOf(last.payload)], [types.headers, status])
          assert.strictEqual(requests, status === 200 ? 1 : 0)
        })
      )
    }

    it.live("a body of another length than was said reaches nobody as whole", () =>
      Effect.gen(function* () {
        for (const body of ["abc", "abcdefghij"]) {
          const said = headers(1, [...asking("/text", "POST"), ["content-length", "5"]], false)
          const { last } = yield* outcome(kind, [
            said,
            frame(types.data, flags.endStream, 1, Buffer.from(body))
          ])
          assert.include([types.rstStream, types.goaway], last.type)
          assert.notStrictEqual(codeOf(last), http2.constants.NGHTTP2_NO_ERROR)
        }
      })
    )

    it.live("a body that was broken off reaches nobody as whole", () =>
      Effect.gen(function* () {
        for (const code of [0, 8]) {
          const { bound, connect } = yield* serving2(kind)
          const transport = yield* connect
          yield* frames(
            transport,
            [
              preface,
              headers(1, asking("/text", "POST"), false),
              frame(types.data, 0, 1, Buffer.from("some")),
              frame(types.rstStream, 0, 1, Buffer.from([0, 0, 0, code])),
              headers(3, plain)
            ],
            ({ id, type }) => id === 3 && type === types.data
          )
          assert.strictEqual((yield* bound.counts).active, 0)
        }
      })
    )

    it.live("trailers are read, and dropped", () =>
      Effect.gen(function* () {
        const { last } = yield* outcome(kind, [
          headers(1, asking("/text", "POST"), false),
          frame(types.data, 0, 1, Buffer.from("some")),
          frame(types.headers, flags.endHeaders | flags.endStream, 1, block([["x-sum", "1"]]))
        ])
        assert.deepStrictEqual([last.type, statusOf(last.payload)], [types.headers, 200])
      })
    )
  })
}
