/** The same application on every kind of endpoint. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as certificates from "../support/certificates.ts"
import { bodyOf, get, kinds, post, serving, statusOf, unchunked, until } from "./httpKit.ts"

for (const kind of kinds) {
  describe.skipIf(kind === "tls" && !certificates.available)(`HttpServer over ${kind}`, () => {
    it.live("answers, with and without bodies", () =>
      Effect.gen(function* () {
        const { ask, bound } = yield* serving(kind)
        const hello = yield* ask(get("/"))
        assert.deepStrictEqual([statusOf(hello), bodyOf(hello)], ["200", "hello"])
        assert.match(hello, /^content-length: 5\r$/im)
        const head = yield* ask(get("/").replace("GET", "HEAD"))
        assert.deepStrictEqual([statusOf(head), bodyOf(head)], ["200", ""])
        assert.match(head, /^content-length: 5\r$/im)
        assert.strictEqual(statusOf(yield* ask(get("/absent"))), "404")
        assert.strictEqual(bodyOf(yield* ask(post("/text", "some text"))), "some text")
        const counts = yield* bound.counts
        assert.deepStrictEqual([counts.accepted, counts.requests, counts.refused], [4, 4, 0])
      })
    )

    it.live("takes requests byte by byte, and bodies in chunks", () =>
      Effect.gen(function* () {
        const { ask, connect } = yield* serving(kind)
        const chunked =
          "POST /stream HTTP/1.1\r\nHost: spindle\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
          "4\r\nsome\r\n5\r\n text\r\n0\r\n\r\n"
        const answer = yield* ask(chunked)
        assert.match(answer, /transfer-encoding: chunked/i)
        assert.strictEqual(unchunked(bodyOf(answer)), "some text")
        const transport = yield* connect
        for (const byte of post("/text", "slowly")) {
          yield* transport.send(byte)
          yield* Effect.yieldNow
        }
        assert.match(yield* until(transport, /slowly$/), /^HTTP\/1\.1 200/)
      })
    )

    it.live("keeps the order of what is asked at once on one connection", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind)
        const answers = yield* ask(
          post("/text", "one", "") + get("/", "") + post("/stream", "two", "") + post("/text", "three")
        )
        assert.deepStrictEqual(answers.match(/one|hello|two|three/g), ["one", "hello", "two", "three"])
      })
    )

    it.live("streams big bodies in both directions at once", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, { bodyBytesMax: Number.POSITIVE_INFINITY })
        const piece = "x".repeat(65_536)
        const pieces = 48
        const answer = yield* ask(
          `POST /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`,
          ...Array.from({ length: pieces }, () => piece)
        )
        assert.strictEqual(answer.split("x").length - 1, pieces * piece.length)
        assert.isTrue(answer.endsWith("0\r\n\r\n"))
      })
    )

    it.live("knows who asks, and for what", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind)
        const peer = {
          tcp: "127.0.0.1",
          tls: "127.0.0.1",
          unix: "none",
          proxied: "203.0.113.7",
          memory: "127.0.0.1"
        }[kind]
        const scheme = kind === "tls" ? "https" : "http"
        assert.strictEqual(bodyOf(yield* ask(get("/peer?a=1"))), `${peer} ${scheme}://spindle/peer?a=1`)
        const absolute = yield* ask(
          "GET http://other/peer HTTP/1.1\r\nHost: spindle\r\nConnection: close\r\n\r\n"
        )
        assert.strictEqual(bodyOf(absolute), `${peer} http://other/peer`)
        const cookies = yield* ask(get("/cookies", "Cookie: x=1; __proto__=2\r\nConnection: close\r\n"))
        assert.deepStrictEqual(cookies.match(/^set-cookie: .*/gim), ["set-cookie: a=1", "set-cookie: b=2"])
        assert.include(bodyOf(cookies), '"x":"1"')
      })
    )

    it.live("answers a peer that has ended its own side", () =>
      Effect.gen(function* () {
        const { connect } = yield* serving(kind)
        const transport = yield* connect
        yield* transport.send(get("/", ""))
        yield* transport.end
        assert.match(yield* until(transport, /hello$/), /^HTTP\/1\.1 200/)
      })
    )

    it.live("breaks off what fails on its way, and lets no header be injected", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind)
        const broken = yield* ask(get("/broken", ""))
        assert.isFalse(broken.endsWith("0\r\n\r\n"), broken)
        const injected = yield* ask(get("/injected"))
        assert.strictEqual(statusOf(injected), "500")
        assert.notMatch(injected, /set-cookie/i)
      })
    )
  })
}

class Item extends Schema.Class<Item>("Item")({ name: Schema.String, count: Schema.Number }) {}

const api = HttpApi.make("api").add(
  HttpApiGroup.make("items").add(HttpApiEndpoint.post("create", "/items", { payload: Item, success: Item }))
)

describe("HttpServer", () => {
  it.live("serves an HttpApi as it is, to a client made of it", () =>
    Effect.gen(function* () {
      const items = HttpApiBuilder.group(api, "items", (handlers) =>
        handlers.handle("create", ({ payload }) =>
          Effect.succeed(new Item({ name: payload.name, count: payload.count + 1 }))
        )
      )
      const server = HttpRouter.serve(Layer.provide(HttpApiBuilder.layer(api), items), {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provideMerge(HttpServer.layer(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))),
        Layer.provide([NodeReactor.layer, EffectHttpServer.layerServices])
      )
      const created = Effect.gen(function* () {
        const { address } = yield* EffectHttpServer.HttpServer
        const client = yield* HttpApiClient.make(api, { baseUrl: NetAddress.formatUrlUnsafe(address) })
        return yield* client.items.create({ payload: new Item({ name: "a", count: 1 }) })
      })
      const item = yield* created.pipe(Effect.provide([server, FetchHttpClient.layer]))
      assert.deepStrictEqual(item, new Item({ name: "a", count: 2 }))
    })
  )

  it.live("is over when its layer is, and leaves nothing open", () =>
    Effect.gen(function* () {
      const address = yield* Effect.scoped(Effect.map(serving("tcp"), ({ bound }) => bound.address))
      const again = Endpoint.tcp({
        port: NetAddress.isInetAddress(address) ? address.port : 0,
        interface: "127.0.0.1"
      })
      yield* Effect.scoped(Effect.provide(HttpServer.bind(again), NodeReactor.layer))
    })
  )
})
