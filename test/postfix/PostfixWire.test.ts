/** The lines of tcp_table(5). */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as PostfixWire from "../../src/postfix/PostfixWire.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"

const requests: ReadonlyArray<readonly [string, PostfixWire.Request]> = [
  ["get alice@example.org", { _tag: "Get", key: "alice@example.org" }],
  ["get a%20b%25%0A%00", { _tag: "Get", key: "a b%\n\0" }],
  ["get m%C3%BCller", { _tag: "Get", key: "müller" }],
  ["put key value", { _tag: "Put", key: "key", value: "value" }],
  ["put key ", { _tag: "Put", key: "key", value: "" }]
]
const replies: ReadonlyArray<readonly [string, PostfixWire.Reply]> = [
  ["200 a%20value", { code: 200, text: "a value" }],
  ["200 ", { code: 200, text: "" }],
  ["500 not%20found", { code: 500, text: "not found" }],
  ["400 the%20disk%20is%20full%0D%0A200%20OK", { code: 400, text: "the disk is full\r\n200 OK" }]
]

describe("requests and replies", () => {
  it("both ways", () => {
    for (const [line, request] of requests) {
      assert.deepStrictEqual(Result.getOrThrow(PostfixWire.parseRequest(line)), request)
      assert.strictEqual(Result.getOrThrow(PostfixWire.formatRequest(request)), line)
    }
    for (const [line, reply] of replies) {
      assert.deepStrictEqual(Result.getOrThrow(PostfixWire.parseReply(line)), reply)
      assert.strictEqual(PostfixWire.formatReply(reply), line)
    }
    // Digits in upper or lower case; texts for people with spaces, as Twisted has them.
    assert.deepStrictEqual(Result.getOrThrow(PostfixWire.parseRequest("get %c3%bC")), {
      _tag: "Get",
      key: "ü"
    })
    assert.deepStrictEqual(Result.getOrThrow(PostfixWire.parseReply("500 not found")), {
      code: 500,
      text: "not found"
    })
  })

  it("what is none", () => {
    for (const line of [
      "",
      "get",
      "get ",
      "get a b",
      "GET a",
      "put a",
      "put a b c",
      "put  b",
      "delete a",
      "get %",
      "get %4",
      "get %zz",
      "get %FF",
      "get  a"
    ]) {
      assert.isTrue(Result.isFailure(PostfixWire.parseRequest(line)), line)
    }
    for (const line of ["", "200", "100 a", "2000 a", "200\ta", "200 %G0"]) {
      assert.isTrue(Result.isFailure(PostfixWire.parseReply(line)), line)
    }
  })

  it("what has no room is not cut into something else", () => {
    const long = "x".repeat(5_000)
    assert.isTrue(Result.isFailure(PostfixWire.formatRequest({ _tag: "Get", key: long })))
    assert.isTrue(Result.isFailure(PostfixWire.formatRequest({ _tag: "Get", key: "" })))
    assert.strictEqual(
      PostfixWire.formatReply({ code: 200, text: long }),
      "400 the%20value%20is%20too%20long"
    )
    for (const pad of ["", "x", "xx"]) {
      const line = PostfixWire.formatReply({ code: 400, text: `${pad}${" ".repeat(2000)}` })
      assert.isAtMost(line.length, PostfixWire.lineBytesMax)
      assert.isTrue(Result.isSuccess(PostfixWire.parseReply(line)))
    }
  })

  it("law: what is quoted is unquoted to the same, and has no space or line end", () => {
    const below = numbers(9)
    for (let i = 0; i < 3_000; i++) {
      const text = Array.from({ length: below(20) }, () =>
        String.fromCodePoint(below(3) === 0 ? below(0xd800) : below(128))
      ).join("")
      const quoted = PostfixWire.quote(text)
      assert.match(quoted, /^[!-~]*$/)
      assert.strictEqual(PostfixWire.unquote(quoted), text)
    }
  })

  it("fuzzing: nothing throws, and what is accepted can be said again", () => {
    const words = ["get", "put", " ", "%", "%20", "%C3%BC", "key", "200", "400", "\r", "\0", "ü"]
    fuzz(
      { words, examples: [...requests, ...replies].map(([line]) => line), inputs: inputsCount(20_000) },
      (input) => {
        const line = new TextDecoder().decode(input)
        const request = PostfixWire.parseRequest(line)
        if (Result.isSuccess(request) && request.success.key !== "") {
          const again = Result.getOrThrow(PostfixWire.formatRequest(request.success))
          assert.deepStrictEqual(Result.getOrThrow(PostfixWire.parseRequest(again)), request.success)
        }
        const reply = PostfixWire.parseReply(line)
        if (Result.isSuccess(reply)) {
          assert.deepStrictEqual(
            Result.getOrThrow(PostfixWire.parseReply(PostfixWire.formatReply(reply.success))),
            reply.success
          )
        }
      }
    )
  })
})
