/** What a server bears, and what it says when that is over. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as certificates from "../support/certificates.ts"
import {
  bodiesOf,
  bodyOf,
  get,
  type Kind,
  post,
  received,
  served,
  serving,
  statusOf,
  until
} from "./httpKit.ts"

const fork = { startImmediately: true } as const

// Over sockets of Node's own, and over a stream made of a transport.
const kinds: ReadonlyArray<Kind> = ["tcp", "tls", "memory"]

for (const kind of kinds) {
  describe.skipIf(kind === "tls" && !certificates.available)(`limits over ${kind}`, () => {
    it.live("of headers: 431 for too many, or too much; 414 for a target", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, { headersMax: 10, headerBytesMax: 2_000, targetBytesMax: 100 })
        const fields = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join("")
        assert.strictEqual(statusOf(yield* ask(get("/", `Connection: close\r\n${fields(8)}`))), "200")
        assert.strictEqual(statusOf(yield* ask(get("/", fields(10)))), "431")
        assert.strictEqual(statusOf(yield* ask(get("/", `X: ${"y".repeat(2_000)}\r\n`))), "431")
        assert.strictEqual(statusOf(yield* ask(get(`/${"y".repeat(100)}`))), "414")
      })
    )

    it.live("of bodies: 413, and before 100 Continue", () =>
      Effect.gen(function* () {
        const { ask, connect } = yield* serving(kind, { bodyBytesMax: 10 })
        assert.strictEqual(bodyOf(yield* ask(post("/text", "0123456789"))), "0123456789")
        // Its length is told: the body is not waited for.
        const told = "POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nConnection: close\r\n"
        assert.strictEqual(statusOf(yield* ask(`${told}\r\n`)), "413")
        assert.match(yield* ask(`${told}Expect: 100-continue\r\n\r\n`), /^HTTP\/1\.1 413/)
        const chunked =
          "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"
        assert.strictEqual(statusOf(yield* ask(`POST /text ${chunked}`)), "413")
        assert.strictEqual(statusOf(yield* ask(post("/ignore", "01234567890"))), "200")

        const transport = yield* connect
        yield* transport.send(
          "POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        yield* until(transport, /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
        yield* transport.send("hello")
        assert.strictEqual(bodyOf(yield* until(transport, /hello$/)), "hello")
      })
    )

    it.live("of the bodies of one route, which stand above the server's", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, { bodyBytesMax: 1_000 }, served(bodiesOf))
        for (const [path, bytes] of [
          ["/small", 10],
          ["/usual", 1_000],
          ["/large", 2_000_000]
        ] as const) {
          assert.strictEqual(bodyOf(yield* ask(post(path, "x".repeat(bytes)))), String(bytes))
          for (const expect of ["", "Expect: 100-continue\r\n"]) {
            // Not a byte of it is sent, nor asked for.
            const told = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes + 1}\r\nConnection: close\r\n`
            assert.match(yield* ask(`${told}${expect}\r\n`), /^HTTP\/1\.1 413/)
          }
        }
      })
    )

    it.live("of what is read for nothing: an answer reaches who still sends", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, { keepAliveTimeout: "5 minutes" })
        const length = 8_000_000
        const answer = yield* ask(
          `POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`,
          ...Array.from({ length: 8 }, () => "x".repeat(1_000_000))
        )
        assert.strictEqual(statusOf(answer), "200")
        assert.match(answer, /^connection: close\r$/im)
        assert.match(answer, /ignored/)
        // Of a body without an end nobody could tell before.
        const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`
        const endless = yield* ask(
          "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
          ...Array.from({ length: 16 }, () => chunk)
        )
        assert.strictEqual(statusOf(endless), "200")
        assert.match(endless, /ignored/)
      })
    )

    it.live("of time: 408 for headers and bodies that do not come, and an end for who only waits", () =>
      Effect.gen(function* () {
        const { ask } = yield* serving(kind, {
          headerTimeout: "200 millis",
          requestTimeout: "400 millis",
          keepAliveTimeout: "200 millis"
        })
        const [nothing, half, body, idle] = yield* Effect.all(
          [
            ask(),
            ask("GET / HTTP/1.1\r\nHost:"),
            ask("POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"),
            ask(get("/", ""))
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([nothing, half, body].map(statusOf), ["408", "408", "408"])
        assert.match(idle, /^HTTP\/1\.1 200[^]*hello$/)
      })
    )

    it.live("of patience with who takes nothing: it is cut", () =>
      Effect.gen(function* () {
        const { bound, connect } = yield* serving(kind, { sendTimeout: "300 millis" })
        const transport = yield* connect
        yield* transport.send(get("/endless"))
        const idle = Effect.flatMap(bound.counts, ({ active, open, requests }) =>
          requests === 1 && open === 0 && active === 0 ? Effect.void : Effect.fail("open")
        )
        yield* Effect.retry(Effect.delay(idle, "50 millis"), { times: 400 })
      })
    )

    it.live("of connections, and of requests on one", () =>
      Effect.gen(function* () {
        const { ask, bound, connect } = yield* serving(kind, {
          connectionsMax: 1,
          requestsPerConnectionMax: 2
        })
        const transport = yield* connect
        yield* transport.send(get("/", ""))
        yield* until(transport, /hello$/)
        assert.notMatch(yield* ask(get("/")), /HTTP/)
        assert.strictEqual((yield* bound.counts).refused, 1)
        yield* transport.send(get("/", ""))
        const last = yield* received(transport)
        assert.match(last, /^connection: close\r$/im)
        assert.match(last, /hello$/)
      })
    )

    it.live("of connections of one peer, whose places are free again when they end", () =>
      Effect.gen(function* () {
        const { ask, bound, connect } = yield* serving(kind, { connectionsPerPeerMax: 2 })
        const scope = yield* Scope.make()
        for (let i = 0; i < 2; i++) {
          const transport = yield* Scope.provide(connect, scope)
          yield* transport.send(get("/", ""))
          yield* until(transport, /hello$/)
        }
        assert.notMatch(yield* ask(get("/")), /HTTP/)
        assert.strictEqual((yield* bound.counts).refused, 1)
        yield* Scope.close(scope, Exit.void)
        while ((yield* bound.counts).open > 0) yield* Effect.sleep("10 millis")
        assert.strictEqual(statusOf(yield* ask(get("/"))), "200")
      })
    )

    it.live("whoever goes takes its request along", () =>
      Effect.gen(function* () {
        const { connect, gate } = yield* serving(kind)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* connect
            yield* transport.send(get("/gate"))
            yield* Deferred.await(gate.begun)
            yield* transport.abort
          })
        )
        yield* Deferred.await(gate.interrupted)
      })
    )
  })

  describe.skipIf(kind === "tls" && !certificates.available)(`its end over ${kind}`, () => {
    it.live("closes what is idle at once, and answers what is under way, which is the last then", () =>
      Effect.gen(function* () {
        const { connect, gate, stop } = yield* stage(kind, { drainTimeout: "1 minute" })
        const [idle, fresh, busy, begun] = yield* Effect.all([connect, connect, connect, connect])
        yield* idle.send(get("/", ""))
        yield* until(idle, /hello$/)
        yield* busy.send(get("/gate", ""))
        yield* begun.send(get("/begun", ""))
        yield* until(begun, /first/)
        yield* Deferred.await(gate.begun)
        const stopped = yield* Effect.forkChild(stop, fork)
        assert.strictEqual(yield* received(idle), "")
        assert.strictEqual(yield* received(fresh), "")
        assert.isUndefined(stopped.pollUnsafe())
        yield* Deferred.succeed(gate.open, undefined)
        const answer = yield* received(busy)
        assert.match(answer, /^connection: close\r$/im)
        assert.match(answer, /through$/)
        assert.match(yield* received(begun), /last\r\n0\r\n\r\n$/)
        yield* Fiber.join(stopped)
      })
    )

    it.live("after its deadline it interrupts, and says 503", () =>
      Effect.gen(function* () {
        const { connect, gate, stop } = yield* stage(kind, { drainTimeout: "50 millis" })
        const [busy, begun] = yield* Effect.all([connect, connect])
        yield* busy.send(get("/gate", ""))
        yield* begun.send(get("/begun", ""))
        yield* until(begun, /first/)
        yield* Deferred.await(gate.begun)
        yield* stop
        assert.strictEqual(statusOf(yield* received(busy)), "503")
        assert.notMatch(yield* received(begun), /0\r\n\r\n$/)
        yield* Deferred.await(gate.interrupted)
      })
    )
  })
}

describe("connections of one peer", () => {
  it.live("are those of whom a PROXY header names", () =>
    Effect.gen(function* () {
      const { bound, connectAs } = yield* serving("proxied", { connectionsPerPeerMax: 1 })
      const asking = (address: string) =>
        Effect.gen(function* () {
          const transport = yield* connectAs(address)
          yield* transport.send(get("/", ""))
          return statusOf(yield* Effect.orElseSucceed(until(transport, /hello$/), () => "refused"))
        })
      assert.deepStrictEqual(yield* Effect.forEach(["192.0.2.1", "192.0.2.1", "192.0.2.2"], asking), [
        "200",
        "refused",
        "200"
      ])
      // A household has a /64.
      assert.deepStrictEqual(
        yield* Effect.forEach(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"], asking),
        ["200", "refused", "200"]
      )
      assert.strictEqual((yield* bound.counts).refused, 2)
    })
  )
})

/** A server in a scope of its own, which `stop` closes. */
const stage = Effect.fnUntraced(function* (kind: Kind, options: Parameters<typeof serving>[1]) {
  const made = yield* Deferred.make<Effect.Success<ReturnType<typeof serving>>>()
  const fiber = yield* Effect.forkScoped(
    Effect.scoped(
      Effect.andThen(
        Effect.flatMap(serving(kind, options), (server) => Deferred.succeed(made, server)),
        Effect.never
      )
    ),
    fork
  )
  return { ...(yield* Deferred.await(made)), stop: Fiber.interrupt(fiber) }
})
