/** A tree of resources: what is found, what is refused, and how. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as ErrorPages from "../../src/http/ErrorPages.ts"
import * as Resource from "../../src/http/Resource.ts"
import { asking } from "./staticKit.ts"

const { text } = HttpServerResponse

class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}

const url = Effect.map(HttpServerRequest, (request) => text(request.url))

const makeRoot = Effect.gen(function* () {
  const below = yield* Resource.fromRoutes(HttpRouter.add("GET", "/hello/:name", url))
  return Resource.make({
    GET: text("home"),
    children: {
      users: Resource.make({
        GET: text("all users"),
        POST: Effect.map(HttpServerRequest, ({ method }) => text(method)),
        getChild: (name) =>
          Effect.succeed(
            name === "nobody"
              ? undefined
              : Resource.make({ GET: Effect.map(Greeting, (greeting) => text(`${greeting}, ${name}`)) })
          )
      }),
      slash: Resource.make({ GET: text("without"), children: { "": Resource.make({ GET: text("with") }) } }),
      leaf: Resource.make({
        isLeaf: true,
        GET: ({ before, rest, restUrl }) =>
          Effect.succeed(text(`${before.join("|")} ${rest.join("|")} ${restUrl}`))
      }),
      only: Resource.make({ children: { here: Resource.make({ PUT: text("put") }) } }),
      old: Resource.redirect("/new", { permanent: true }),
      routes: below,
      dav: Resource.make({ GET: text("dav"), methods: { PROPFIND: text("found") } }),
      broken: Resource.make({ GET: Effect.die(new Error("a <secret>")) })
    }
  })
})

const ask = (development = false, prefix?: "/tree") =>
  Effect.gen(function* () {
    const root = yield* makeRoot
    return yield* asking(
      Layer.mergeAll(ErrorPages.layer({ development }), Resource.layer(root, { prefix })).pipe(
        HttpRouter.provideRequest(Layer.succeed(Greeting, "hello"))
      )
    )
  })

describe("Resource", () => {
  it.live("paths lead to names", () =>
    Effect.gen(function* () {
      const { get } = yield* ask()
      for (const [target, body] of [
        ["/", "home"],
        ["/users", "all users"],
        ["/users/", "all users"],
        ["/users/alice?a=b", "hello, alice"],
        ["/users/a%2Fb", "hello, a/b"],
        ["/slash", "without"],
        ["/slash/", "with"],
        ["/leaf", "leaf  /"],
        ["/leaf/a%20b//c?d=e", "leaf a b||c /a%20b//c?d=e"],
        ["/routes/hello/you?a", "/hello/you?a"]
      ] as const) {
        const answer = yield* get(target)
        assert.deepStrictEqual([target, answer.status, answer.body], [target, 200, body])
      }
      for (const target of [
        "/nowhere",
        "/users/nobody",
        "/users//x",
        "/only",
        "/%",
        "/users/%2e%2e/",
        "/home/x"
      ]) {
        assert.deepStrictEqual([target, (yield* get(target)).status], [target, 404])
      }
      const moved = yield* get("/old")
      assert.deepStrictEqual([moved.status, moved.headers["location"]], [308, "/new"])
    })
  )

  it.live("below a prefix", () =>
    Effect.gen(function* () {
      const { get } = yield* ask(false, "/tree")
      assert.strictEqual((yield* get("/tree/users/alice")).body, "hello, alice")
      assert.strictEqual((yield* get("/tree")).body, "home")
      assert.strictEqual((yield* get("/users")).status, 404)
    })
  )

  it.live("methods: 405 with Allow for what is HTTP's, 501 for what is not (RFC 9110 §15.5.6, §15.6.2)", () =>
    Effect.gen(function* () {
      const { send } = yield* ask()
      for (const [method, target, status, allow] of [
        ["POST", "/users", 200, undefined],
        ["HEAD", "/users", 200, undefined],
        ["DELETE", "/users", 405, "GET, HEAD, OPTIONS, POST"],
        ["PATCH", "/", 405, "GET, HEAD, OPTIONS"],
        // Twisted answers these two with 501.
        ["PUT", "/", 405, "GET, HEAD, OPTIONS"],
        ["OPTIONS", "/", 204, "GET, HEAD, OPTIONS"],
        ["GET", "/only/here", 405, "OPTIONS, PUT"],
        ["HEAD", "/only/here", 405, "OPTIONS, PUT"],
        ["PROPFIND", "/dav", 200, undefined],
        ["PROPFIND", "/users", 501, "GET, HEAD, OPTIONS, POST"],
        ["DELETE", "/only", 404, undefined]
      ] as const) {
        const answer = yield* send(method, target)
        assert.deepStrictEqual(
          [method, target, answer.status, answer.headers["allow"]],
          [method, target, status, allow]
        )
      }
      const head = yield* send("HEAD", "/users")
      assert.deepStrictEqual([head.body, head.headers["content-length"]], ["", "9"])
    })
  )

  it.live("a defect is 500, and is told in development only", () =>
    Effect.gen(function* () {
      const hidden = yield* Effect.flatMap(ask(), ({ get }) => get("/broken", { accept: "text/html" }))
      assert.strictEqual(hidden.status, 500)
      assert.include(hidden.body, "Internal Server Error")
      assert.notInclude(hidden.body, "secret")
      const { get } = yield* ask(true)
      const shown = yield* get("/broken", { accept: "text/html" })
      assert.strictEqual(shown.status, 500)
      assert.include(shown.body, "a &lt;secret&gt;")
      const json = yield* get("/broken", { accept: "application/json" })
      assert.include((JSON.parse(json.body) as { trace: string }).trace, "a <secret>")
    })
  )

  it.live("routes that are not there are pages, or JSON", () =>
    Effect.gen(function* () {
      const { get } = yield* asking(
        Layer.mergeAll(
          ErrorPages.layer(),
          HttpRouter.add("GET", "/own", HttpServerResponse.text("own", { status: 404 }))
        )
      )
      assert.include((yield* get("/a", { accept: "text/html" })).body, "<h1>Not Found</h1>")
      const json = yield* get("/a", { accept: "application/problem+json" })
      assert.strictEqual(json.headers["content-type"], "application/problem+json")
      assert.strictEqual((yield* get("/own")).body, "own")
    })
  )
})
