/** Virtual hosts, rules for paths, and requests that other sites make. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Rewrite from "../../src/http/Rewrite.ts"
import * as SameOrigin from "../../src/http/SameOrigin.ts"
import * as VirtualHosts from "../../src/http/VirtualHosts.ts"
import { asking } from "./staticKit.ts"

const says = (text: string) => Effect.succeed(HttpServerResponse.text(text))

describe("VirtualHosts", () => {
  it.live("the name decides, with or without a port, in any case", () =>
    Effect.gen(function* () {
      const hosts = {
        "example.org": says("site"),
        "*.example.org": says("part"),
        "a.b.example.org": says("exact"),
        "[::1]": says("loopback")
      }
      const { get } = yield* asking(VirtualHosts.layer(hosts))
      for (const [host, body] of [
        ["example.org", "site"],
        ["EXAMPLE.ORG:8080", "site"],
        ["example.org.", "site"],
        ["www.example.org", "part"],
        ["x.y.example.org", "part"],
        ["a.b.example.org", "exact"],
        ["[::1]:80", "loopback"]
      ] as const) {
        assert.deepStrictEqual([host, (yield* get("/any/path", { host })).body], [host, body])
      }
      for (const host of ["example.com", "notexample.org", "192.0.2.1"]) {
        const { body, status } = yield* get("/", { host })
        assert.deepStrictEqual([host, status], [host, 421])
        assert.notInclude(body, host)
      }
      const { get: other } = yield* asking(VirtualHosts.layer(hosts, { otherwise: says("other") }))
      assert.strictEqual((yield* other("/", { host: "example.com" })).body, "other")
    })
  )

  it("names", () => {
    for (const [host, name] of [
      ["a:80", "a"],
      ["a:", "a"],
      ["[::1]", "[::1]"],
      ["", undefined],
      ["a b", undefined],
      ["a/b", undefined],
      ["u@a", undefined],
      [undefined, undefined]
    ] as const)
      assert.strictEqual(VirtualHosts.nameOf(host), name)
  })
})

describe("Rewrite", () => {
  const url = Effect.map(HttpServerRequest, (request) => HttpServerResponse.text(request.url))

  it.live("paths become others; the query stays", () =>
    Effect.gen(function* () {
      const { get } = yield* asking(
        Layer.mergeAll(
          Rewrite.layer([
            Rewrite.rewrite("/~:user/*", "/users/:user/*"),
            Rewrite.rewrite("/item/:id", "/items?id=:id"),
            Rewrite.rewrite("/a.b", "/literal"),
            Rewrite.redirect("/old/*", "/new/*"),
            Rewrite.redirect("/away/*", "https://example.org/*", { status: 302 }),
            Rewrite.redirect("/*/", "/*")
          ]),
          HttpRouter.add("GET", "/*", url)
        )
      )
      for (const [target, body] of [
        ["/~alice/a/b?c=d", "/users/alice/a/b?c=d"],
        ["/~alice/a%2Fb", "/users/alice/a%2Fb"],
        ["/item/7", "/items?id=7"],
        ["/a.b", "/literal"],
        ["/axb", "/axb"],
        ["/~alice", "/~alice"]
      ] as const) {
        assert.deepStrictEqual([target, (yield* get(target)).body], [target, body])
      }
      for (const [target, status, location] of [
        ["/old/x?y=z", 308, "/new/x?y=z"],
        ["/away/x", 302, "https://example.org/x"]
      ] as const) {
        const answer = yield* get(target)
        assert.deepStrictEqual(
          [target, answer.status, answer.headers["location"]],
          [target, status, location]
        )
      }
    })
  )

  it.live("no redirect leads to another host by what was asked for", () =>
    Effect.gen(function* () {
      const { get } = yield* asking(
        Layer.mergeAll(
          Rewrite.layer([Rewrite.redirect("/go*", "*"), Rewrite.redirect("/to/*", "/*"), Rewrite.toHttps()]),
          HttpRouter.add("GET", "/*", url)
        )
      )
      for (const target of [
        "/go//evil.example/",
        "/to//evil.example/",
        "/to/\\evil.example",
        "/go/\\\\evil.example"
      ]) {
        const location = (yield* get(target)).headers["location"]!
        assert.strictEqual(new URL(location, "http://spindle/").host, "spindle", `${target}: ${location}`)
      }
      assert.strictEqual((yield* get("/x?y")).headers["location"], "https://spindle/x?y")
      assert.strictEqual((yield* get("//evil.example/")).headers["location"], "https://spindle/evil.example/")
      assert.throws(() => Rewrite.redirect("/*", "https://example.org*"), TypeError)
    })
  )
})

describe("SameOrigin", () => {
  it.live("what other sites make a browser send is refused", () =>
    Effect.gen(function* () {
      const routes = (options?: SameOrigin.Options) =>
        Layer.mergeAll(SameOrigin.layer(options), HttpRouter.add("*", "/", says("done")))
      const { send } = yield* asking(routes())
      for (const [method, headers, status] of [
        ["GET", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 200],
        ["POST", {}, 200],
        ["POST", { "sec-fetch-site": "same-origin", origin: "http://spindle" }, 200],
        ["POST", { "sec-fetch-site": "none" }, 200],
        ["POST", { "sec-fetch-site": "cross-site" }, 403],
        ["POST", { "sec-fetch-site": "same-site", origin: "http://other.spindle" }, 403],
        ["DELETE", { origin: "https://evil.example" }, 403],
        ["POST", { origin: "http://spindle" }, 200],
        ["POST", { origin: "http://spindle:81" }, 403],
        ["POST", { origin: "null" }, 403],
        ["POST", { origin: "http://spindle.evil.example" }, 403]
      ] as ReadonlyArray<readonly [string, Record<string, string>, number]>) {
        assert.deepStrictEqual(
          [method, headers, (yield* send(method, "/", headers)).status],
          [method, headers, status]
        )
      }
      const trusting = yield* asking(routes({ trusted: ["https://app.example"], sameSite: true }))
      const cross = { "sec-fetch-site": "cross-site" }
      assert.strictEqual(
        (yield* trusting.send("POST", "/", { ...cross, origin: "https://app.example" })).status,
        200
      )
      assert.strictEqual(
        (yield* trusting.send("POST", "/", { ...cross, origin: "http://app.example" })).status,
        403
      )
      assert.strictEqual((yield* trusting.send("POST", "/", { "sec-fetch-site": "same-site" })).status, 200)
    })
  )
})
