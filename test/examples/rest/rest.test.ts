/** The inventory, asked by the client that its API makes, and by requests as they are. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import type * as Scope from "effect/Scope"
import { InventoryApi } from "../../../examples/rest/InventoryApi.ts"
import { Item, ItemInput, ItemPatch, patched } from "../../../examples/rest/Item.ts"
import * as Spindle from "../../app/cli/spindle.ts"
import { examples } from "../start.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-rest-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

const basic = (name: string) => HttpClientRequest.basicAuth(name, name)

/** Run by the command, in a directory of its own. */
const serving = Effect.fnUntraced(function* (requestsPerMinute = 1_000, dataDir?: string) {
  const place = yield* Spindle.place
  const settings = [
    "listen=tcp:0:interface=127.0.0.1",
    `dataDir=${dataDir ?? (yield* directory)}`,
    "token=s3cret",
    `requestsPerMinute=${requestsPerMinute}`
  ]
  const app = path.join(examples, "rest/app.ts")
  const child = yield* Spindle.start(place, ["run", app, ...settings.flatMap((one) => ["--set", one])])
  const [, port = ""] = yield* child.says(/http listening.*127\.0\.0\.1:(\d+)/)
  const url = `http://127.0.0.1:${port}`
  const stop = Effect.andThen(Spindle.says(place, ["stop", "inventory"]), child.ended)
  /** The client that the API makes. */
  const clientOf = (
    as: (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest
  ) =>
    HttpApiClient.make(InventoryApi, { baseUrl: url, transformClient: HttpClient.mapRequest(as) }).pipe(
      Effect.provide(FetchHttpClient.layer)
    )
  const ask = (target: string, init?: RequestInit) =>
    Effect.promise(async () => {
      const response = await fetch(url + target, init)
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  return { ask, clientOf, stop }
})

/** What was sent, where it was. */
const whole = <A extends object>({ body }: { readonly body: A | void }): A => {
  if (body === undefined) throw new Error("there is no body")
  return body
}

const nail = new ItemInput({ sku: "A-1", name: "a nail", quantity: 100, priceCents: 2 })
const writer = `Basic ${btoa("writer:writer")}`

describe("the inventory", () => {
  const run = (name: string, body: () => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>) =>
    it.live(name, () => Effect.gen(body), Spindle.testTimeout)

  run("is created, read, replaced, patched and deleted by the client that is derived", function* () {
    const { clientOf } = yield* serving()
    const { items } = yield* clientOf(basic("writer"))
    const created = yield* items.create({ payload: nail })
    assert.deepStrictEqual(created.body, new Item({ id: 1, ...nail }))
    assert.deepStrictEqual(created.headers, { etag: '"1"', location: "/items/1" })
    const params = { id: 1 }
    const read = yield* items.read({ params, headers: {} })
    assert.deepStrictEqual([read.body, read.headers], [created.body, { etag: '"1"' }])
    const replaced = yield* items.replace({
      params,
      headers: { "if-match": read.headers.etag },
      payload: new ItemInput({ ...nail, quantity: 99, note: "rusty" })
    })
    assert.deepStrictEqual([replaced.body.quantity, replaced.headers.etag], [99, '"2"'])
    const patched = yield* items.patch({
      params,
      headers: { "if-match": '"7", "2"' },
      payload: new ItemPatch({ quantity: 98, note: null })
    })
    assert.deepStrictEqual(patched.body, new Item({ id: 1, ...nail, quantity: 98 }))
    assert.strictEqual(yield* items.remove({ params, headers: { "if-match": "*" } }), undefined)
    const gone = yield* Effect.flip(items.read({ params, headers: {} }))
    assert.deepStrictEqual([gone._tag, gone._tag === "NotFound" && gone.id], ["NotFound", 1])
    // Numbers are not used again.
    assert.strictEqual((yield* items.create({ payload: nail })).body.id, 2)
  })

  run("is changed only by who knows what is there", function* () {
    const { clientOf } = yield* serving()
    const { items } = yield* clientOf(basic("writer"))
    yield* items.create({ payload: nail })
    const params = { id: 1 }
    const blind = yield* Effect.flip(items.replace({ params, headers: {}, payload: nail }))
    assert.strictEqual(blind._tag, "ConditionMissing")
    const payload = new ItemPatch({ quantity: 1 })
    const late = yield* Effect.all(
      [1, 2].map(() => Effect.result(items.patch({ params, headers: { "if-match": '"1"' }, payload }))),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(late.map(({ _tag }) => _tag).toSorted(), ["Failure", "Success"])
    const weak = yield* Effect.flip(items.remove({ params, headers: { "if-match": 'W/"2"' } }))
    assert.deepStrictEqual([weak._tag, weak._tag === "Changed" && weak.etag], ["Changed", '"2"'])
    const taken = yield* Effect.flip(items.create({ payload: nail }))
    assert.deepStrictEqual([taken._tag, taken._tag === "SkuTaken" && taken.sku], ["SkuTaken", "A-1"])
  })

  run("is sent only to who does not have it yet", function* () {
    const { ask, clientOf } = yield* serving()
    const { items } = yield* clientOf(basic("writer"))
    const params = { id: 1 }
    const empty = yield* items.list({ query: {}, headers: {} })
    yield* items.create({ payload: nail })
    const listed = yield* items.list({ query: {}, headers: { "if-none-match": empty.headers.etag } })
    assert.strictEqual(listed.body?.items.length, 1)
    const same = yield* items.list({ query: {}, headers: { "if-none-match": listed.headers.etag } })
    assert.deepStrictEqual([same.body, same.headers], [undefined, listed.headers])
    const known = yield* items.read({ params, headers: { "if-none-match": '"7", W/"1"' } })
    assert.deepStrictEqual([known.body, known.headers.etag], [undefined, '"1"'])
    const headers = { authorization: writer, "if-none-match": "*" }
    const bare = yield* ask("/items/1", { headers })
    assert.deepStrictEqual([bare.status, bare.text, bare.headers.get("etag")], [304, "", '"1"'])
    assert.strictEqual((yield* ask("/items/2", { headers })).status, 404)
    yield* items.patch({
      params,
      headers: { "if-match": '"1"' },
      payload: new ItemPatch({ quantity: 1 })
    })
    const changed = yield* items.read({ params, headers: { "if-none-match": '"1"' } })
    assert.deepStrictEqual([changed.body?.quantity, changed.headers.etag], [1, '"2"'])
    assert.strictEqual(
      (yield* items.list({ query: {}, headers: { "if-none-match": listed.headers.etag } })).body?.items[0]
        ?.quantity,
      1
    )
    yield* items.remove({ params, headers: { "if-match": "*" } })
    const last = yield* ask("/items", { headers: { ...headers, "if-none-match": listed.headers.etag } })
    assert.deepStrictEqual([last.status, JSON.parse(last.text)], [200, { items: [] }])
  })

  run("is listed in pages, and filtered", function* () {
    const { clientOf } = yield* serving()
    const { items } = yield* clientOf(basic("writer"))
    for (let i = 1; i <= 25; i++) {
      yield* items.create({
        payload: new ItemInput({
          sku: `A-${i}`,
          name: `${i % 2 ? "Odd" : "even"} 100% ${i}`,
          quantity: i,
          priceCents: 1
        })
      })
    }
    const first = whole(yield* items.list({ query: {}, headers: {} }))
    assert.deepStrictEqual([first.items.length, first.next], [20, 20])
    const rest = whole(yield* items.list({ query: { after: first.next! }, headers: {} }))
    assert.deepStrictEqual([rest.items.map(({ id }) => id), rest.next], [[21, 22, 23, 24, 25], undefined])
    const odd = whole(
      yield* items.list({
        query: { name: "odd 100%", quantityMin: 3, quantityMax: 9, limit: 3 },
        headers: {}
      })
    )
    assert.deepStrictEqual([odd.items.map(({ id }) => id), odd.next], [[3, 5, 7], 7])
    assert.deepStrictEqual(whole(yield* items.list({ query: { name: "_" }, headers: {} })).items, [])
  })

  run("tells problems as RFC 9457 has them", function* () {
    const { ask } = yield* serving()
    const problem = Effect.fnUntraced(function* (target: string, init?: RequestInit) {
      const { headers, status, text } = yield* ask(target, init)
      assert.strictEqual(headers.get("content-type"), "application/problem+json")
      const body = JSON.parse(text) as Record<string, unknown>
      assert.strictEqual(body["status"], status)
      return body
    })
    const headers = { authorization: writer }
    const missing = yield* problem("/items/7", { headers })
    assert.deepStrictEqual(missing, {
      type: "urn:spindle:inventory:not-found",
      status: 404,
      title: "There is no such item",
      id: 7
    })
    const wrong = yield* problem("/items", {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ ...nail, quantity: -1 })
    })
    assert.strictEqual(wrong["status"], 400)
    assert.deepStrictEqual((wrong["errors"] as ReadonlyArray<{ path: unknown }>)[0]?.path, [
      "payload",
      "quantity"
    ])
    assert.strictEqual((yield* problem("/items/x", { headers }))["status"], 400)
    assert.strictEqual((yield* problem("/items?limit=101", { headers }))["status"], 400)
  })

  run("knows who asks: by password, by token, or not at all", function* () {
    const { ask, clientOf } = yield* serving()
    const robot = yield* clientOf(HttpClientRequest.bearerToken("s3cret"))
    assert.strictEqual((yield* robot.items.create({ payload: nail })).body.id, 1)
    const reader = yield* clientOf(basic("reader"))
    assert.strictEqual(whole(yield* reader.items.list({ query: {}, headers: {} })).items.length, 1)
    assert.strictEqual((yield* Effect.flip(reader.items.create({ payload: nail })))._tag, "Forbidden")
    const stranger = yield* clientOf((request) => request)
    assert.strictEqual(
      (yield* Effect.flip(stranger.items.list({ query: {}, headers: {} })))._tag,
      "Unauthorized"
    )
    for (const authorization of ["", writer.slice(0, -4), "Bearer s3cre", "Basic x", "Digest a=b"]) {
      const { headers, status } = yield* ask("/items", { headers: { authorization } })
      assert.strictEqual(status, 401)
      assert.match(headers.get("www-authenticate") ?? "", /^Basic realm="inventory".*, Bearer /)
    }
  })

  run("answers each user so often", function* () {
    const { ask } = yield* serving(5)
    const asWriter = { headers: { authorization: writer } }
    for (let i = 0; i < 5; i++) assert.strictEqual((yield* ask("/items", asWriter)).status, 200)
    const { headers, status } = yield* ask("/items", asWriter)
    assert.strictEqual(status, 429)
    assert.match(headers.get("retry-after") ?? "", /^(?:[1-9]|1[0-2])$/)
    const reader = { headers: { authorization: `Basic ${btoa("reader:reader")}` } }
    assert.strictEqual((yield* ask("/items", reader)).status, 200)
  })

  run("describes itself, and shows that without any other server", function* () {
    const { ask } = yield* serving()
    const { status, text } = yield* ask("/openapi.json")
    const document = JSON.parse(text) as {
      readonly openapi: string
      readonly paths: Record<
        string,
        Record<string, { responses: Record<string, { content?: object; headers?: object }> }>
      >
      readonly components: { readonly securitySchemes: Record<string, { readonly scheme: string }> }
    }
    assert.deepStrictEqual([status, document.openapi.slice(0, 2)], [200, "3."])
    assert.deepStrictEqual(Object.keys(document.paths).toSorted(), ["/items", "/items/{id}"])
    assert.deepStrictEqual(Object.keys(document.paths["/items/{id}"]!).toSorted(), [
      "delete",
      "get",
      "patch",
      "put"
    ])
    const { responses } = document.paths["/items/{id}"]!["patch"]!
    assert.includeMembers(Object.keys(responses), [
      "200",
      "400",
      "401",
      "403",
      "404",
      "409",
      "412",
      "428",
      "429"
    ])
    assert.hasAllKeys(responses["412"]!.content, ["application/problem+json"])
    assert.deepStrictEqual(
      Object.values(document.components.securitySchemes)
        .map(({ scheme }) => scheme.toLowerCase())
        .toSorted(),
      ["basic", "bearer"]
    )
    const page = yield* ask("/docs")
    assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
    assert.notMatch(page.text, /<script[^>]+\bsrc=|<link[^>]+\bhref=/)
    assert.include(page.text, "SwaggerUIBundle")
  })

  run("keeps what it has, and says nothing wrong", function* () {
    const dataDir = yield* directory
    const first = yield* serving(1_000, dataDir)
    const { items } = yield* first.clientOf(basic("writer"))
    yield* items.create({ payload: nail })
    assert.deepStrictEqual((yield* first.stop).stderr, "")
    const second = yield* serving(1_000, dataDir)
    const again = yield* second.clientOf(basic("reader"))
    assert.deepStrictEqual(
      (yield* again.items.read({ params: { id: 1 }, headers: {} })).body,
      new Item({ id: 1, ...nail })
    )
    yield* second.stop
  })

  it("patches by RFC 7396", () => {
    const rusty = new ItemInput({ ...nail, note: "rusty" })
    assert.deepStrictEqual(patched(rusty, new ItemPatch({})), rusty)
    assert.deepStrictEqual(patched(rusty, new ItemPatch({ note: null })), nail)
    assert.deepStrictEqual(
      patched(nail, new ItemPatch({ note: "rusty", quantity: 0 })),
      new ItemInput({ ...rusty, quantity: 0 })
    )
  })
})
