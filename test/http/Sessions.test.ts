/** What is remembered by a cookie, and what a forged one is worth. */
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistence from "effect/persistence/Persistence"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import * as Sessions from "../../src/http/Sessions.ts"
import * as SessionStore from "../../src/http/SessionStore.ts"
import * as Sqlite from "../auth/sqlite.ts"
import { type Answer, asking, directory } from "./staticKit.ts"

const schema = Schema.Struct({ user: Schema.String, visits: Schema.Finite })
type Data = typeof schema.Type

const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
const text = HttpServerResponse.text

const routesOf = (sessions: Sessions.Sessions<Data>) =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/",
      Effect.gen(function* () {
        const data = yield* (yield* sessions.current).get
        return text(data === undefined ? "nobody" : `${data.user} ${data.visits}`)
      })
    ),
    HttpRouter.add(
      "POST",
      "/visit/:user",
      Effect.gen(function* () {
        const { user = "" } = yield* HttpRouter.params
        const session = yield* sessions.current
        const before = yield* session.get
        yield* session.set({ user, visits: (before?.visits ?? 0) + 1 })
        // The same one, wherever it is asked for.
        return text(String((yield* (yield* sessions.current).get)?.visits))
      })
    ),
    HttpRouter.add(
      "POST",
      "/rotate",
      Effect.flatMap(sessions.current, ({ rotate }) => Effect.as(rotate, text("rotated")))
    ),
    HttpRouter.add(
      "POST",
      "/end",
      Effect.flatMap(sessions.current, ({ end }) => Effect.as(end, text("ended")))
    ),
    HttpRouter.add(
      "GET",
      "/other",
      Effect.map(HttpServerRequest, ({ method }) => text(method))
    )
  )

const cookieOf = ({ headers }: Answer): string => /^[^;]*/.exec(headers["set-cookie"] ?? "")![0]

const kinds = {
  stored: (options?: Partial<Sessions.Options<Data, Data>>) =>
    Sessions.stored({ schema, store: SessionStore.memory(), ...options }),
  signed: (options?: Partial<Sessions.Options<Data, Data>>) =>
    Sessions.signed({ schema, keys: [keyOf(1)], ...options })
}

for (const kind of ["stored", "signed"] as const) {
  describe(`Sessions, ${kind}`, () => {
    it.effect("begin with data, last, change their name, and end", () =>
      Effect.gen(function* () {
        const { get, send } = yield* asking(routesOf(kinds[kind]()))
        const before = yield* get("/")
        assert.deepStrictEqual([before.body, before.headers["set-cookie"]], ["nobody", undefined])
        const first = yield* send("POST", "/visit/alice")
        assert.match(
          first.headers["set-cookie"]!,
          /^session=[A-Za-z0-9._-]{43,}; Path=\/; HttpOnly; SameSite=Lax$/
        )
        assert.strictEqual(first.headers["cache-control"], "private")
        let cookie = cookieOf(first)
        assert.strictEqual((yield* get("/", { cookie })).body, "alice 1")
        assert.strictEqual((yield* get("/other", { cookie })).headers["set-cookie"], undefined)
        const second = yield* send("POST", "/visit/bob", { cookie })
        assert.strictEqual(second.body, "2")
        cookie = kind === "signed" ? cookieOf(second) : cookie
        assert.strictEqual((yield* get("/", { cookie })).body, "bob 2")
        if (kind === "stored") {
          const rotated = cookieOf(yield* send("POST", "/rotate", { cookie }))
          assert.notStrictEqual(rotated, cookie)
          assert.strictEqual((yield* get("/", { cookie: rotated })).body, "bob 2")
          assert.strictEqual((yield* get("/", { cookie })).body, "nobody")
          cookie = rotated
        }
        const ended = yield* send("POST", "/end", { cookie })
        assert.match(ended.headers["set-cookie"]!, /^session=; Max-Age=0; Path=\//)
        if (kind === "stored") assert.strictEqual((yield* get("/", { cookie })).body, "nobody")
      })
    )

    it.effect("end by themselves: idle, and in any case", () =>
      Effect.gen(function* () {
        const { get, send } = yield* asking(
          routesOf(kinds[kind]({ idleTimeout: "10 minutes", lifetime: "25 minutes" }))
        )
        let cookie = cookieOf(yield* send("POST", "/visit/alice"))
        const alive = Effect.gen(function* () {
          const answer = yield* get("/", { cookie })
          if (answer.headers["set-cookie"] !== undefined) cookie = cookieOf(answer)
          return answer.body
        })
        for (const [wait, body] of [
          ["9 minutes", "alice 1"],
          ["9 minutes", "alice 1"],
          // 27 minutes old.
          ["9 minutes", "nobody"]
        ] as const) {
          yield* TestClock.adjust(wait)
          assert.deepStrictEqual([wait, yield* alive], [wait, body])
        }
        cookie = cookieOf(yield* send("POST", "/visit/bob"))
        yield* TestClock.adjust("11 minutes")
        assert.strictEqual(yield* alive, "nobody")
      })
    )

    it.effect("a name that somebody chose is not taken over, and a forged one is nothing", () =>
      Effect.gen(function* () {
        const { get, send } = yield* asking(routesOf(kinds[kind]()))
        const chosen = `session=${"A".repeat(43)}`
        const given = cookieOf(yield* send("POST", "/visit/alice", { cookie: chosen }))
        assert.notStrictEqual(given, chosen)
        assert.strictEqual((yield* get("/", { cookie: chosen })).body, "nobody")
        for (const cookie of [
          "session=",
          "session=.",
          "session=a.b.c",
          `${given}A`,
          given.slice(0, -1),
          given.replace(/=./, (two) => (two === "=B" ? "=C" : "=B"))
        ]) {
          assert.deepStrictEqual([cookie, (yield* get("/", { cookie })).body], [cookie, "nobody"])
        }
      })
    )

    it.effect("over TLS the cookie is for TLS, and this host, only", () =>
      Effect.gen(function* () {
        const { get, send } = yield* asking(routesOf(kinds[kind]({ secure: true, sameSite: "strict" })))
        const first = yield* send("POST", "/visit/alice")
        assert.match(
          first.headers["set-cookie"]!,
          /^__Host-session=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/
        )
        assert.strictEqual((yield* get("/", { cookie: cookieOf(first) })).body, "alice 1")
        const plain = cookieOf(first).replace("__Host-", "")
        assert.strictEqual((yield* get("/", { cookie: plain })).body, "nobody")
      })
    )
  })
}

describe("Sessions", () => {
  it.effect("keys are rotated: what the old one signed is good until it goes", () =>
    Effect.gen(function* () {
      const of = (...keys: readonly [number, ...ReadonlyArray<number>]) =>
        asking(routesOf(Sessions.signed({ schema, keys: [keyOf(keys[0]), ...keys.slice(1).map(keyOf)] })))
      const cookie = cookieOf(yield* (yield* of(1)).send("POST", "/visit/alice"))
      assert.strictEqual((yield* (yield* of(2, 1)).get("/", { cookie })).body, "alice 1")
      assert.strictEqual((yield* (yield* of(2)).get("/", { cookie })).body, "nobody")
      assert.throws(() => Sessions.signed({ schema, keys: [Redacted.make(new Uint8Array(16))] }), RangeError)
    })
  )

  it.effect("the store has no names by which somebody could be another one", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const memory = SessionStore.memory()
      const store: SessionStore.SessionStore = {
        ...memory,
        set: (key, value, until) => {
          seen.push(key)
          return memory.set(key, value, until)
        }
      }
      const { send } = yield* asking(routesOf(Sessions.stored({ schema, store })))
      const cookie = cookieOf(yield* send("POST", "/visit/alice")).slice("session=".length)
      assert.match(seen[0]!, /^[0-9a-f]{64}$/)
      assert.notInclude(seen[0]!, cookie)
    })
  )

  it.effect("what was kept for another schema is nothing", () =>
    Effect.gen(function* () {
      const store = SessionStore.memory()
      const old = Sessions.stored({ schema: Schema.Struct({ name: Schema.String }), store })
      const route = HttpRouter.add(
        "POST",
        "/old",
        Effect.flatMap(old.current, ({ set }) => Effect.as(set({ name: "a" }), text("kept")))
      )
      const { get, send } = yield* asking(Layer.mergeAll(route, routesOf(Sessions.stored({ schema, store }))))
      const cookie = cookieOf(yield* send("POST", "/old"))
      assert.strictEqual((yield* get("/", { cookie })).body, "nobody")
    })
  )

  it.effect("memory is bounded, and forgets what has expired", () =>
    Effect.gen(function* () {
      const store = SessionStore.memory({ sessionsMax: 2 })
      for (const key of ["a", "b", "c"]) yield* store.set(key, key, 1000)
      assert.deepStrictEqual(
        [yield* store.get("a"), yield* store.get("b"), yield* store.get("c")],
        [undefined, "b", "c"]
      )
      yield* store.remove("b")
      assert.isUndefined(yield* store.get("b"))
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(yield* store.get("c"))
    })
  )

  it.live("what is in a database is there after a restart, as long as it lasts", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const files = NodeFileSystem.layer.pipe(Layer.provideMerge(NodePath.layer))
      const stores = {
        sql: Persistence.layerBackingSql.pipe(
          Layer.provide(Sqlite.layerFile(path.join(root, "sessions.db")))
        ),
        files: Persistence.layerBackingKvs.pipe(
          Layer.provide(KeyValueStore.layerFileSystem(path.join(root, "sessions"))),
          Layer.provide(files)
        )
      }
      for (const [name, layer] of Object.entries(stores)) {
        /** A process: everything is built anew. */
        const life = <A, E>(
          idleTimeout: Duration.Input,
          use: (ask: Effect.Success<ReturnType<typeof asking>>) => Effect.Effect<A, E>
        ) =>
          Effect.gen(function* () {
            const store = yield* SessionStore.persisted()
            return yield* use(yield* asking(routesOf(Sessions.stored({ schema, store, idleTimeout }))))
          }).pipe(Effect.provide(layer, { local: true }), Effect.scoped)
        const cookie = yield* life("1 hour", ({ send }) => Effect.map(send("POST", "/visit/alice"), cookieOf))
        yield* life("1 hour", ({ get, send }) =>
          Effect.gen(function* () {
            assert.deepStrictEqual([name, (yield* get("/", { cookie })).body], [name, "alice 1"])
            assert.strictEqual((yield* get("/", { cookie: `session=${"a".repeat(43)}` })).body, "nobody")
            yield* send("POST", "/visit/bob", { cookie })
          })
        )
        yield* life("1 hour", ({ get, send }) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* get("/", { cookie })).body, "bob 2")
            yield* send("POST", "/end", { cookie })
          })
        )
        yield* life("1 hour", ({ get }) =>
          Effect.map(get("/", { cookie }), ({ body }) => assert.strictEqual(body, "nobody"))
        )
        const brief = yield* life("50 millis", ({ send }) => Effect.map(send("POST", "/visit/eve"), cookieOf))
        yield* Effect.sleep("60 millis")
        yield* life("1 hour", ({ get }) =>
          Effect.map(get("/", { cookie: brief }), ({ body }) => assert.strictEqual(body, "nobody"))
        )
      }
    })
  )
})
