/**
 * Requests that servers and proxies have understood differently, so that one was taken for two (RFC 9112 §11.2). Each is sent with
 * another request behind it: it is refused, its connection ends, and nobody sees that other one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { served, serving, statusOf } from "./httpKit.ts"

const behind = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
const inChunks = `0\r\n\r\n${behind}`

/** A request with these lines in its header, and what comes behind that. */
const request = (lines: string, rest = inChunks, version = "1.1"): string =>
  `POST /seen HTTP/${version}\r\nHost: a\r\n${lines}\r\n${rest}`
const chunked = (rest: string): string => request("Transfer-Encoding: chunked\r\n", rest)
const withHead = (head: string): string => `${head}\r\n\r\n${behind}`

const refused: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "two lengths, or two framings (RFC 9112 §6.3)": {
    "two lengths": request("Content-Length: 0\r\nContent-Length: 37\r\n", behind),
    "the same length twice": request("Content-Length: 0\r\nContent-Length: 0\r\n", behind),
    "a list of lengths": request("Content-Length: 0, 0\r\n", behind),
    "a length, then a coding": request("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "a coding, then a length": request("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
    "two codings": request("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    "chunked twice": request("Transfer-Encoding: chunked, chunked\r\n"),
    "chunked, and not last": request("Transfer-Encoding: chunked, gzip\r\n"),
    "a coding that nobody undoes": request("Transfer-Encoding: gzip, chunked\r\n"),
    "no coding at all": request("Transfer-Encoding: \r\n"),
    identity: request("Transfer-Encoding: identity\r\n"),
    "a quoted coding": request('Transfer-Encoding: "chunked"\r\n'),
    "a coding with a parameter": request("Transfer-Encoding: chunked;q=1\r\n"),
    "a coding with a prefix": request("Transfer-Encoding: xchunked\r\n"),
    "a coding behind a control character": request("Transfer-Encoding: \x0bchunked\r\n"),
    "a coding in HTTP/1.0": request("Transfer-Encoding: chunked\r\n", inChunks, "1.0")
  },
  "lengths that are no plain digits (RFC 9110 §8.6)": Object.fromEntries(
    ["+0", "-0", "-1", "0x0", "0_0", "", "1e0", "0.0", "0 0", "0;", "9007199254740993000000"].map(
      (length) => [
        `content-length ${JSON.stringify(length)}`,
        request(`Content-Length: ${length}\r\n`, behind)
      ]
    )
  ),
  "chunks (RFC 9112 §7.1)": {
    ...Object.fromEntries(
      ["+0", "-0", "0x0", "0_0", "", " 0", "g", "ffffffffffffffff0"].map((size) => [
        `size ${JSON.stringify(size)}`,
        chunked(`${size}\r\n\r\n${behind}`)
      ])
    ),
    "a bare line feed behind the size": chunked(`1\nx\r\n${inChunks}`),
    "a bare line feed behind the data": chunked(`1\r\nx\n${inChunks}`),
    "a bare carriage return behind the size": chunked(`1\rx\r\n${inChunks}`),
    "more data than the size": chunked(`1\r\nxy\r\n${inChunks}`),
    "a bare line feed in an extension": chunked(`1;a\nb\r\nx\r\n${inChunks}`),
    "carriage returns in an extension": chunked(`1;a\r\rb\r\nx\r\n${inChunks}`),
    "an end of bare line feeds": chunked(`0\n\n${behind}`)
  },
  "line ends (RFC 9112 §2.2)": {
    "bare line feeds": withHead("GET /seen HTTP/1.1\nHost: a"),
    "a bare line feed in a header": withHead("GET /seen HTTP/1.1\r\nHost: a\r\nX: y\nZ: z"),
    "a bare carriage return in a header": withHead("GET /seen HTTP/1.1\r\nHost: a\r\nX: y\rZ: z"),
    "a carriage return before the end": withHead("GET /seen HTTP/1.1\r\nHost: a\r\n\rX: y"),
    "a header that ends as no other does": `GET /seen HTTP/1.1\r\nHost: a\r\n\rX${behind}`
  },
  "header fields (RFC 9112 §5)": {
    "a space before the colon": request("Content-Length : 0\r\n", behind),
    "a tab before the colon": request("Transfer-Encoding\t: chunked\r\n"),
    "a line that goes on in the next": request("X: y\r\n Content-Length: 37\r\n", behind),
    "a coding that goes on in the next line": request("Transfer-Encoding:\r\n chunked\r\n"),
    "a space before the first name": withHead("GET /seen HTTP/1.1\r\n Host: a"),
    "no name": request(": x\r\n", behind),
    "no colon": request("Content-Length\r\n", behind),
    "a name that is no token": request("Content(Length: 0\r\n", behind),
    "a NUL in a name": request("X\0: y\r\n", behind),
    "a NUL in a value": request("X: y\0z\r\n", behind),
    "a control character in a name": request("Content\x01-Length: 0\r\n", behind)
  },
  "hosts (RFC 9112 §3.2)": {
    none: withHead("GET /seen HTTP/1.1\r\nX: y"),
    several: withHead("GET /seen HTTP/1.1\r\nHost: a\r\nHost: b"),
    "the same one twice": withHead("GET /seen HTTP/1.1\r\nHost: a\r\nHost: a"),
    "one with a path": withHead("GET /seen HTTP/1.1\r\nHost: a/b"),
    "one with a user": withHead("GET /seen HTTP/1.1\r\nHost: u@a"),
    "one with markup": withHead("GET /seen HTTP/1.1\r\nHost: <script>"),
    "one with a space": withHead("GET /seen HTTP/1.1\r\nHost: a b"),
    "two ports": withHead("GET /seen HTTP/1.1\r\nHost: a:1:2"),
    "none in HTTP/1.0 is fine, two are not": withHead("GET /seen HTTP/1.0\r\nHost: a\r\nHost: b")
  },
  "request lines (RFC 9112 §3)": {
    "HTTP/0.9": withHead("GET /seen"),
    "HTTP/0.9 by name": withHead("GET /seen HTTP/0.9\r\nHost: a"),
    "HTTP/1.2": withHead("GET /seen HTTP/1.2\r\nHost: a"),
    "HTTP/2.0": withHead("GET /seen HTTP/2.0\r\nHost: a"),
    "http/1.1": withHead("GET /seen http/1.1\r\nHost: a"),
    "no space before the version": withHead("GET /seenHTTP/1.1\r\nHost: a"),
    "a tab": withHead("GET\t/seen HTTP/1.1\r\nHost: a"),
    "a space in the target": withHead("GET /se en HTTP/1.1\r\nHost: a"),
    "a NUL in the target": withHead("GET /se\0en HTTP/1.1\r\nHost: a"),
    "a target that is none": withHead("GET seen HTTP/1.1\r\nHost: a"),
    "a target of another kind": withHead("GET ftp://a/seen HTTP/1.1\r\nHost: a"),
    "a star for other than OPTIONS": withHead("GET * HTTP/1.1\r\nHost: a"),
    "a method that nobody knows": withHead("GETS /seen HTTP/1.1\r\nHost: a"),
    "a method in small letters": withHead("get /seen HTTP/1.1\r\nHost: a"),
    "a tunnel": withHead("CONNECT a:80 HTTP/1.1\r\nHost: a:80"),
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  }
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))

/** A server that tells what it has seen, and answers all of it. */
const witness = Effect.fnUntraced(function* (kind: "tcp" | "memory") {
  const seen: Array<string> = []
  const routes = HttpRouter.addAll([
    HttpRouter.route(
      "*",
      "/*",
      Effect.flatMap(HttpServerRequest, ({ text, url }) =>
        Effect.map(text, (body) => {
          seen.push(`${url} ${body}`)
          return HttpServerResponse.text("seen")
        })
      )
    )
  ])
  return { ...(yield* serving(kind, {}, served(routes))), seen }
})

for (const [about, cases] of Object.entries(refused)) {
  describe(`refused: ${about}`, () => {
    it.live("over a socket", () =>
      Effect.gen(function* () {
        const { ask, seen } = yield* witness("tcp")
        const answers: Record<string, string> = {}
        for (const [name, bytes] of Object.entries(cases)) {
          seen.length = 0
          const status = statusOf(yield* ask(bytesOf(bytes)))
          answers[name] = `${/^(400|413|501|505)$/.test(status) ? "refused" : `${status}`} ${seen.join()}`
        }
        assert.deepStrictEqual(
          answers,
          Object.fromEntries(Object.keys(cases).map((name) => [name, "refused "]))
        )
      })
    )

    it.live("byte by byte", () =>
      Effect.gen(function* () {
        const { ask, seen } = yield* witness("memory")
        const answers: Record<string, string> = {}
        for (const [name, bytes] of Object.entries(cases)) {
          seen.length = 0
          const status = statusOf(yield* ask(...Array.from(bytesOf(bytes), (byte) => Uint8Array.of(byte))))
          answers[name] = `${/^(400|413|501|505)$/.test(status) ? "refused" : `${status}`} ${seen.join()}`
        }
        assert.deepStrictEqual(
          answers,
          Object.fromEntries(Object.keys(cases).map((name) => [name, "refused "]))
        )
      })
    )
  })
}

describe("taken for what it is", () => {
  const body = "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    "chunks with extensions": [`${body}3;a=b;c="d"\r\nabc\r\n0\r\n\r\n`, "/seen abc"],
    "chunks with trailers": [`${body}3\r\nabc\r\n0\r\nX: y\r\n\r\n`, "/seen abc"],
    "sizes in either case": [
      `${body}A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n`,
      "/seen 01234567890123456789"
    ],
    "chunked in either case": [
      "Transfer-Encoding: CHUNKED \r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      "/seen x"
    ],
    "zeros before a length": ["Content-Length: 003\r\nConnection: close\r\n\r\nabc", "/seen abc"],
    "no space behind the colon": ["Content-Length:3\r\nConnection:close\r\n\r\nabc", "/seen abc"]
  }
  it.live("what is unusual, and right", () =>
    Effect.gen(function* () {
      const { ask, seen } = yield* witness("tcp")
      for (const [name, [rest, expected]] of Object.entries(cases)) {
        seen.length = 0
        assert.strictEqual(statusOf(yield* ask(`POST /seen HTTP/1.1\r\nHost: a\r\n${rest}`)), "200", name)
        assert.deepStrictEqual(seen, [expected], name)
      }
      seen.length = 0
      yield* ask("\r\nGET http://b:80/seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      yield* ask("OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n")
      yield* ask("GET /old HTTP/1.0\r\n\r\n")
      yield* ask("GET  /spaces  HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      assert.deepStrictEqual(seen, ["/seen ", "* ", "/old ", "/spaces "])
    })
  )
})
