import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Contract } from "../../../examples/gateway/Contract.ts"
import { Counters } from "../../../examples/gateway/Counters.ts"
import * as Documentation from "../../../examples/gateway/Documentation.ts"
import * as HttpApi from "../../../examples/gateway/HttpApi.ts"
import { Store } from "../../../examples/gateway/Store.ts"
import { StoreError } from "../../../examples/gateway/StoreError.ts"
import * as Timestamp from "../../../examples/gateway/Timestamp.ts"
import * as HttpServer from "../../../src/http/HttpServer.ts"
import * as NodeReactor from "../../../src/node/NodeReactor.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { temporaryDirectory } from "./fixtures/temporaryDirectory.ts"

/** A client of a server on a port of its own. */
const overTcp = EffectHttpServer.layerTestClient.pipe(
  Layer.provide(FetchHttpClient.layer),
  Layer.provideMerge(HttpServer.layer(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))),
  Layer.provide(NodeReactor.layer)
)

const hour = 3_600_000
const time = Date.UTC(2010, 0, 1, 1)

const opened = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  return Context.get(yield* Layer.build(Store.layer({ directory })), Store)
})

/** Asks the routes, as the Fetch API does; `logged` is what they logged. */
const asking = Effect.fnUntraced(function* (
  store: Store["Service"],
  counters: Counters["Service"] = { accepted: 0, rejected: 0, connections: 0 }
) {
  const logged: Array<string> = []
  const app = HttpApi.layer.pipe(
    Layer.provide(Layer.succeed(Store, store)),
    Layer.provide(Layer.succeed(Counters, counters)),
    Layer.provideMerge(Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])),
    Layer.provideMerge(EffectHttpServer.layerServices)
  )
  const { handler } = yield* Effect.acquireRelease(
    Effect.sync(() => HttpRouter.toWebHandler(app, { disableLogger: true })),
    ({ dispose }) => Effect.promise(dispose)
  )
  const ask = (path: string, init?: RequestInit) =>
    Effect.promise(async () => {
      const response = await handler(new Request(`http://gateway${path}`, init))
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  const json = (path: string) =>
    Effect.map(ask(path), ({ status, headers, text }) => {
      assert.match(headers.get("content-type") ?? "", /^application\/json/)
      return [status, JSON.parse(text) as unknown] as const
    })
  return { ask, json, logged }
})

const filled = Effect.gen(function* () {
  const store = yield* opened
  yield* store.appendAll([
    { station: "seattle", metric: "temperature", time, value: 4 },
    { station: "seattle", metric: "temperature", time: time + hour, value: 3.9 },
    { station: "seattle", metric: "temperature", time: time + 25 * hour, value: -1e-7 },
    { station: "__proto__", metric: "constructor", time, value: 1 }
  ])
  return yield* asking(store, { accepted: 4, rejected: 2, connections: 3 })
})

const seattle = "station=seattle&metric=temperature"

describe("HttpApi", () => {
  it.effect("GET /latest", () =>
    Effect.gen(function* () {
      const { ask, json } = yield* filled
      assert.deepStrictEqual(yield* json(`/latest?${seattle}`), [
        200,
        { station: "seattle", metric: "temperature", time: "2010-01-02T02:00:00.000Z", value: -1e-7 }
      ])
      assert.strictEqual(
        (yield* ask("/latest?station=__proto__&metric=constructor")).text,
        `{"station":"__proto__","metric":"constructor","time":"2010-01-01T01:00:00.000Z","value":1}`
      )
      assert.deepStrictEqual(yield* json("/latest?station=seattle&metric=wind"), [
        404,
        { error: "there is no reading of wind from seattle" }
      ])
    })
  )

  it.effect("GET /readings", () =>
    Effect.gen(function* () {
      const { ask, json } = yield* filled
      assert.strictEqual(
        (yield* ask(`/readings?${seattle}&to=2010-01-02`)).text,
        `[{"time":"2010-01-01T01:00:00.000Z","value":4},{"time":"2010-01-01T02:00:00.000Z","value":3.9}]`
      )
      assert.deepStrictEqual(yield* json(`/readings?${seattle}&from=2010-01-01T02:00Z&limit=1`), [
        200,
        [{ time: "2010-01-01T02:00:00.000Z", value: 3.9 }]
      ])
      assert.deepStrictEqual(yield* json("/readings?station=none&metric=none"), [200, []])
    })
  )

  it.effect("GET /aggregate", () =>
    Effect.gen(function* () {
      const { json } = yield* filled
      assert.deepStrictEqual(yield* json(`/aggregate?${seattle}&bucket=1d&fn=avg`), [
        200,
        [
          { time: "2010-01-01T00:00:00.000Z", value: 3.95 },
          { time: "2010-01-02T00:00:00.000Z", value: -1e-7 }
        ]
      ])
      assert.deepStrictEqual(yield* json(`/aggregate?${seattle}&bucket=1h&fn=count&limit=1`), [
        200,
        [{ time: "2010-01-01T01:00:00.000Z", value: 1 }]
      ])
    })
  )

  it.effect("GET /counters: the numbers of the moment", () =>
    Effect.gen(function* () {
      const counters = { accepted: 4, rejected: 2, connections: 3 }
      const { json } = yield* asking(yield* opened, counters)
      assert.deepStrictEqual(yield* json("/counters"), [200, { accepted: 4, rejected: 2, connections: 3 }])
      counters.accepted++
      assert.deepStrictEqual(yield* json("/counters"), [200, { accepted: 5, rejected: 2, connections: 3 }])
    })
  )

  it.effect("a bad query is a 400 with the reason", () =>
    Effect.gen(function* () {
      const { json } = yield* filled
      for (const [path, error] of [
        ["/latest", "station is missing"],
        ["/latest?station=a", "metric is missing"],
        ["/latest?station=a&station=b&metric=c", "station is given more than once"],
        [`/readings?${seattle}&limit=0`, 'limit is no whole number from 1 to 100000: "0"'],
        [`/readings?${seattle}&from=2010-02-30`, 'from is a time that does not exist: "2010-02-30"'],
        [`/aggregate?${seattle}&bucket=1d`, "fn is missing"],
        [
          `/aggregate?${seattle}&bucket=1d&fn=mim`,
          'fn is not one of avg, min, max, count: "mim"; did you mean "min"?'
        ],
        ["/latest?statoin=a", '"statoin" is no parameter: did you mean "station"? (station, metric)'],
        ["/counters?x=1", '"x" is no parameter: there are none here'],
        [
          "/latest?station=%3Cscript%3E%00&metric=c",
          'station may have only letters, digits and _.:- but is "<script>\\u{0}"'
        ]
      ] as const) {
        assert.deepStrictEqual(yield* json(path), [400, { error }], path)
      }
    })
  )

  it.effect("an unknown path is a 404 that names the known ones", () =>
    Effect.gen(function* () {
      const { json } = yield* filled
      const error = "there is no such path: try /latest, /readings, /aggregate, /counters"
      for (const path of ["/", "/latests", "/latest/x", "/__proto__", "/%zz", "/latest%2f"]) {
        assert.deepStrictEqual(yield* json(path), [404, { error }], path)
      }
    })
  )

  it.effect("another method is a 405 that names the allowed ones", () =>
    Effect.gen(function* () {
      const { ask } = yield* filled
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) {
        const { status, headers, text } = yield* ask(`/latest?${seattle}`, { method })
        assert.strictEqual(status, 405)
        assert.strictEqual(headers.get("allow"), "GET, HEAD")
        assert.deepStrictEqual(JSON.parse(text), { error: "only GET and HEAD are allowed" })
      }
    })
  )

  it.effect("HEAD is GET without the body", () =>
    Effect.gen(function* () {
      const { ask } = yield* filled
      for (const path of [`/latest?${seattle}`, `/readings?${seattle}`, "/counters", "/latest", "/nowhere"]) {
        const get = yield* ask(path)
        const head = yield* ask(path, { method: "HEAD" })
        assert.strictEqual(head.text, "")
        assert.strictEqual(head.status, get.status)
        assert.deepStrictEqual([...head.headers], [...get.headers])
      }
    })
  )

  it.effect("what fails inside is told to the log, not to the client", () =>
    Effect.gen(function* () {
      const busy = new StoreError({
        operation: "readings",
        reason: { _tag: "Busy", detail: "database is locked" }
      })
      const { json, logged } = yield* asking({
        ...(yield* opened),
        latest: () => Effect.die(new Error("secret")),
        page: () => Effect.fail(busy)
      })
      assert.deepStrictEqual(yield* json(`/latest?${seattle}`), [500, { error: "internal error" }])
      assert.deepStrictEqual(yield* json(`/readings?${seattle}`), [
        503,
        { error: "the store cannot answer now" }
      ])
      assert.strictEqual(logged.length, 2)
      assert.include(logged[0], "secret")
      assert.include(logged[1], "database is locked")
    })
  )

  it.effect("an average beyond the numbers is null, not broken JSON", () =>
    Effect.gen(function* () {
      const store = yield* opened
      const value = Number.MAX_VALUE
      yield* store.appendAll([0, 1].map((time) => ({ station: "a", metric: "b", time, value })))
      const { json } = yield* asking(store)
      assert.deepStrictEqual(yield* json("/aggregate?station=a&metric=b&bucket=1d&fn=avg"), [
        200,
        [{ time: "1970-01-01T00:00:00.000Z", value: null }]
      ])
    })
  )

  it.effect("the widest buckets of the earliest and the latest readings have a beginning", () =>
    Effect.gen(function* () {
      const store = yield* opened
      yield* store.appendAll(
        [Timestamp.timeMin, Timestamp.timeMax].map((time) => ({ station: "a", metric: "b", time, value: 1 }))
      )
      const { json } = yield* asking(store)
      assert.deepStrictEqual(yield* json("/aggregate?station=a&metric=b&bucket=9999w&fn=count"), [
        200,
        [
          { time: "-000138-01-13T00:00:00.000Z", value: 1 },
          { time: "9827-01-08T00:00:00.000Z", value: 1 }
        ]
      ])
    })
  )

  const count = 30_000
  const long = Effect.gen(function* () {
    const store = yield* opened
    yield* store.appendAll(
      Array.from({ length: count }, (_, time) => ({ station: "a", metric: "b", time, value: time / 8 }))
    )
    return store
  })

  it.effect("a long answer arrives whole and in order", () =>
    Effect.gen(function* () {
      const { ask } = yield* asking(yield* long)
      for (const limit of [2_000, 2_001, 10_000, 100_000]) {
        const { text } = yield* ask(`/readings?station=a&metric=b&limit=${limit}`)
        const expected = Array.from({ length: Math.min(limit, count) }, (_, time) => ({
          time: new Date(time).toISOString(),
          value: time / 8
        }))
        assert.deepStrictEqual(JSON.parse(text), expected)
      }
    })
  )

  it.effect("a long answer that fails on its way is broken off", () =>
    Effect.gen(function* () {
      const store = yield* long
      let pages = 0
      const { ask } = yield* asking({
        ...store,
        page: (query) => (++pages < 3 ? store.page(query) : Effect.die(new Error("the disk is gone")))
      })
      const exit = yield* Effect.exit(ask("/readings?station=a&metric=b&limit=100000"))
      assert.strictEqual(exit._tag, "Failure")
      assert.strictEqual(pages, 3)
    })
  )

  it.live("answers over a real connection", () =>
    Effect.gen(function* () {
      const store = yield* long
      const server = HttpRouter.serve(HttpApi.layer, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(Layer.succeed(Store, store)),
        Layer.provide(Counters.layer),
        Layer.provideMerge(overTcp)
      )
      const client = Context.get(yield* Layer.build(server), HttpClient.HttpClient)
      const path = `/readings?station=a&metric=b&limit=100000`
      const response = yield* client.get(path)
      const points = JSON.parse(yield* response.text) as ReadonlyArray<unknown>
      assert.strictEqual(points.length, count)
      assert.deepStrictEqual(points.at(-1), {
        time: new Date(count - 1).toISOString(),
        value: (count - 1) / 8
      })

      const head = yield* client.head(path)
      assert.strictEqual(head.status, 200)
      assert.strictEqual(yield* head.text, "")

      const latest = yield* client.get("/latest?station=a&metric=b")
      const short = yield* client.head("/latest?station=a&metric=b")
      assert.strictEqual(short.headers["content-length"], String((yield* latest.text).length))
    })
  )

  it.live("is what its contract says: a client that is derived from it understands the answers", () =>
    Effect.gen(function* () {
      const store = yield* opened
      yield* store.appendAll([{ station: "seattle", metric: "temperature", time, value: 4 }])
      const server = HttpRouter.serve(Layer.mergeAll(HttpApi.layer, Documentation.layer), {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provide(Layer.succeed(Store, store)),
        Layer.provide(Counters.layer),
        Layer.provideMerge(overTcp)
      )
      const httpClient = Context.get(yield* Layer.build(server), HttpClient.HttpClient)
      const client = yield* HttpApiClient.makeWith(Contract, { httpClient })
      const query = { station: "seattle", metric: "temperature" }
      const point = { time: "2010-01-01T01:00:00.000Z", value: 4 }
      assert.deepStrictEqual(yield* client.latest({ query }), { ...query, ...point })
      assert.deepStrictEqual(
        yield* client.readings({ query: { ...query, from: "soon", limit: "1" } }).pipe(Effect.flip),
        {
          error: 'from is neither an ISO 8601 date or time nor milliseconds since 1970: "soon"'
        } as never
      )
      assert.deepStrictEqual(yield* client.readings({ query: { ...query, limit: "1" } }), [point])
      assert.deepStrictEqual(yield* client.aggregate({ query: { ...query, bucket: "1d", fn: "count" } }), [
        { time: "2010-01-01T00:00:00.000Z", value: 1 }
      ])
      assert.deepStrictEqual(yield* client.counters(), { accepted: 0, rejected: 0, connections: 0 })
      const none = yield* Effect.flip(client.latest({ query: { ...query, metric: "wind" } }))
      assert.deepStrictEqual(none, { error: "there is no reading of wind from seattle" } as never)

      const document = JSON.parse(yield* (yield* httpClient.get("/openapi.json")).text) as {
        readonly paths: Record<
          string,
          { readonly get: { readonly parameters: ReadonlyArray<{ readonly name: string }> } }
        >
      }
      assert.deepStrictEqual(Object.keys(document.paths), ["/latest", "/readings", "/aggregate", "/counters"])
      assert.deepStrictEqual(
        document.paths["/aggregate"]!.get.parameters.map(({ name }) => name),
        ["station", "metric", "from", "to", "limit", "bucket", "fn"]
      )
      const page = yield* httpClient.get("/docs")
      const html = yield* page.text
      assert.match(page.headers["content-type"] ?? "", /^text\/html/)
      assert.notMatch(html, /<script[^>]+\bsrc=|<link[^>]+\bhref=/)
      assert.include(html, "Telemetry gateway")
    })
  )
})
