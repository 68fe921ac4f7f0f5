/** Lines as Apache writes them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as AccessLog from "../../src/http/AccessLog.ts"
import { asking } from "./staticKit.ts"

const entry: AccessLog.Entry = {
  remoteAddress: "192.0.2.1",
  user: "frank",
  startMillis: Date.UTC(2000, 9, 10, 20, 55, 36),
  durationMillis: 12,
  method: "GET",
  target: "/apache_pb.gif",
  version: "1.0",
  status: 200,
  bodyBytes: 2326,
  host: "a",
  referer: "http://www.example.com/start.html",
  userAgent: "Mozilla/4.08"
}

describe("AccessLog", () => {
  it("common, combined, JSON, and one's own", () => {
    const common = '192.0.2.1 - frank [10/Oct/2000:20:55:36 +0000] "GET /apache_pb.gif HTTP/1.0" 200 2326'
    assert.strictEqual(AccessLog.format(entry, "common"), common)
    assert.strictEqual(
      AccessLog.format(entry),
      `${common} "http://www.example.com/start.html" "Mozilla/4.08"`
    )
    assert.deepStrictEqual(JSON.parse(AccessLog.format(entry, "json")), entry)
    assert.strictEqual(
      AccessLog.format(entry, ({ status }) => String(status)),
      "200"
    )
  })

  it("what somebody sends neither ends a field nor the line", () => {
    const nasty = 'a" b\\\r\n\u001b[31mé'
    const line = AccessLog.format({
      ...entry,
      user: nasty,
      target: nasty,
      referer: nasty,
      userAgent: undefined
    })
    assert.match(line, /^[\x20-\x7e]*$/)
    assert.include(line, '"a\\" b\\\\\\x0d\\x0a\\x1b[31m\\xe9"')
    assert.isTrue(line.endsWith(' "-"'))
    assert.strictEqual(line.match(/(?<!\\)"/g)!.length, 6)
    assert.include(line, ' a\\"\\x20b')
  })

  it.live("a line for each request, whatever becomes of it", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const { get, send } = yield* asking(
        Layer.mergeAll(
          AccessLog.layer({
            format: ({ bodyBytes, method, status, target, version }) =>
              `${method} ${target} ${version} ${status} ${bodyBytes}`,
            write: (line) => Effect.sync(() => void lines.push(line))
          }),
          HttpRouter.add("GET", "/a", HttpServerResponse.text("hello")),
          HttpRouter.add("GET", "/empty", HttpServerResponse.empty()),
          HttpRouter.add("GET", "/broken", Effect.die(new Error("broken")))
        )
      )
      yield* get("/a?b=c")
      yield* send("HEAD", "/a")
      yield* get("/empty")
      yield* get("/nowhere")
      yield* get("/broken")
      assert.deepStrictEqual(lines, [
        "GET /a?b=c 1.1 200 5",
        "HEAD /a 1.1 200 undefined",
        "GET /empty 1.1 204 undefined",
        "GET /nowhere 1.1 404 0",
        "GET /broken 1.1 500 0"
      ])
    })
  )
})
