/** HTTP/2 on every kind of endpoint: by ALPN with TLS, by prior knowledge without. */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as certificates from "../support/certificates.ts"
import {
  ask,
  asking,
  closed,
  frames,
  get2,
  goawayOf,
  headers,
  post2,
  preface,
  serving2,
  types,
  u32
} from "./http2Kit.ts"
import { bodyOf, get, kinds, serving, statusOf } from "./httpKit.ts"

const { NGHTTP2_INTERNAL_ERROR } = http2.constants
const fork = { startImmediately: true } as const

for (const kind of kinds) {
  describe.skipIf(kind === "tls" && !certificates.available)(`HTTP/2 over ${kind}`, () => {
    it.live("answers, with and without bodies", () =>
      Effect.gen(function* () {
        const { bound, open } = yield* serving2(kind)
        const client = yield* open()
        const hello = yield* ask(client, get2("/"))
        assert.deepStrictEqual(
          [hello.status, hello.body, hello.headers["content-length"]],
          [200, "hello", "5"]
        )
        const head = yield* ask(client, get2("/", { ":method": "HEAD" }))
        assert.deepStrictEqual([head.status, head.body, head.headers["content-length"]], [200, "", "5"])
        assert.strictEqual((yield* ask(client, get2("/absent"))).status, 404)
        assert.strictEqual((yield* ask(client, post2("/text"), "some text")).body, "some text")
        assert.strictEqual((yield* ask(client, post2("/stream"), "a stream")).body, "a stream")
        assert.strictEqual((yield* ask(client, post2("/ignore"), "x".repeat(100_000))).body, "ignored")
        assert.strictEqual((yield* ask(client, post2("/text"))).body, "")
        const counts = yield* bound.counts
        assert.deepStrictEqual([counts.accepted, counts.requests, counts.open], [1, 7, 1])
      })
    )

    it.live("streams big bodies in both directions at once", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { bodyBytesMax: Number.POSITIVE_INFINITY })
        const client = yield* open()
        const body = Buffer.alloc(3_000_000, "abcdefg")
        const [one, two] = yield* Effect.all(
          [ask(client, post2("/stream"), body), ask(client, post2("/text"), body)],
          { concurrency: "unbounded" }
        )
        assert.isTrue(one.body === body.toString())
        assert.isTrue(two.body === body.toString())
        assert.strictEqual(two.headers["content-length"], "3000000")
      })
    )

    it.live("knows who asks, and for what", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind)
        const client = yield* open()
        const peer = {
          tcp: "127.0.0.1",
          tls: "127.0.0.1",
          unix: "none",
          proxied: "203.0.113.7",
          memory: "127.0.0.1"
        }[kind]
        const scheme = kind === "tls" ? "https" : "http"
        const answer = yield* ask(client, get2("/peer?a=1", { ":authority": "other:81" }))
        assert.strictEqual(answer.body, `${peer} ${scheme}://other:81/peer?a=1`)
        const cookies = yield* ask(client, get2("/cookies", { cookie: ["x=1", "__proto__=2"] }))
        assert.deepStrictEqual(cookies.headers["set-cookie"], ["a=1", "b=2"])
        assert.include(cookies.body, '"x":"1"')
        const odd = yield* ask(client, get2("/", { ["__proto__"]: "1", constructor: "2" }))
        assert.strictEqual(odd.status, 200)
      })
    )

    it.live("breaks off what fails on its way, and lets no header be injected", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind)
        const client = yield* open()
        assert.strictEqual((yield* ask(client, get2("/broken"))).code, NGHTTP2_INTERNAL_ERROR)
        const injected = yield* ask(client, get2("/injected"))
        assert.deepStrictEqual([injected.status, injected.headers["set-cookie"]], [500, undefined])
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
      })
    )

    it.live("answers at once what waits for nothing, and interrupts what is reset", () =>
      Effect.gen(function* () {
        const { bound, gate, open } = yield* serving2(kind)
        const client = yield* open()
        const slow = yield* Effect.forkChild(ask(client, get2("/gate")), fork)
        yield* Deferred.await(gate.begun)
        assert.strictEqual((yield* ask(client, get2("/"))).body, "hello")
        yield* Fiber.interrupt(slow)
        yield* Deferred.await(gate.interrupted)
        assert.strictEqual((yield* ask(client, get2("/"))).body, "hello")
        assert.strictEqual((yield* bound.counts).active, 0)
      })
    )

    it.live("interrupts all that was asked on a connection that is lost", () =>
      Effect.gen(function* () {
        const { gate, open } = yield* serving2(kind)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* open()
            yield* Effect.forkChild(ask(client, get2("/gate")), fork)
            yield* Deferred.await(gate.begun)
            client.destroy()
          })
        )
        yield* Deferred.await(gate.interrupted)
      })
    )

    it.live("survives who goes at any moment", () =>
      Effect.gen(function* () {
        const { bound, connect, open } = yield* serving2(kind)
        const story = Buffer.concat([
          preface,
          headers(1, asking("/gate")),
          headers(3, asking("/text", "POST"), false),
          headers(5, asking("/endless"))
        ])
        for (let i = 0; i < 60; i++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const transport = yield* connect
              yield* transport.send(story.subarray(0, Math.floor((story.length * i) / 50)))
              if (i % 3 > 0) yield* Effect.sleep(i % 5)
              yield* i % 2 === 0 ? transport.abort : Effect.void
            })
          )
        }
        const client = yield* open()
        assert.strictEqual((yield* ask(client, get2("/"))).body, "hello")
        let now = yield* bound.counts
        while (now.open > 1 || now.active > 0) {
          yield* Effect.sleep("20 millis")
          now = yield* bound.counts
        }
        // Some were gone before their handshake, or their header, was over.
        assert.isAbove(now.accepted, 40)
      })
    )

    it.live("speaks HTTP/1.1 with who does", () =>
      Effect.gen(function* () {
        const { ask, connect } = yield* serving(kind, { http2PriorKnowledge: true })
        assert.strictEqual(bodyOf(yield* ask(get("/"))), "hello")
        assert.strictEqual(statusOf(yield* ask("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")), "400")
        assert.strictEqual(bodyOf(yield* ask(...get("/"))), "hello")
        const silent = yield* connect
        yield* silent.end
      })
    )
  })
}

for (const kind of ["tcp", "memory"] as const) {
  describe(`the end of a server of HTTP/2 over ${kind}`, () => {
    it.live("answers what is under way, and tells up to where", () =>
      Effect.gen(function* () {
        const { bound, connect, gate, stop } = yield* stoppable(
          serving2(kind, { drainTimeout: "1 minute", drainIdleTimeout: "10 seconds" })
        )
        const [transport, fresh] = yield* Effect.all([connect, connect])
        yield* transport.send(Buffer.concat([preface, headers(1, asking("/gate"))]))
        yield* fresh.send(preface)
        yield* Deferred.await(gate.begun)
        const stopped = yield* Effect.forkChild(stop, fork)
        const told = yield* frames(transport, [], ({ type }) => type === types.goaway)
        assert.deepStrictEqual(told.at(-1)?.payload, Buffer.concat([u32(1), u32(0)]))
        // What crosses that on its way is safe to ask again.
        yield* transport.send(headers(3, asking("/")))
        yield* Deferred.succeed(gate.open, undefined)
        const rest = (yield* frames(transport, [])).filter(({ type }) => type === types.data)
        assert.deepStrictEqual(
          rest.map(({ id, payload }) => [id, payload.toString()]),
          [[1, "through"]]
        )
        // Who has just come may ask, once.
        const once = yield* frames(fresh, [headers(1, asking("/"))])
        assert.strictEqual(once.find(({ type }) => type === types.data)?.payload.toString(), "hello")
        assert.strictEqual(goawayOf(once), 0)
        yield* Fiber.join(stopped)
        assert.strictEqual((yield* bound.counts).open, 0)
      })
    )

    it.live("closes what is idle at once", () =>
      Effect.gen(function* () {
        const { open, stop } = yield* stoppable(
          serving2(kind, { drainTimeout: "1 minute", drainIdleTimeout: "20 millis" })
        )
        const client = yield* open()
        assert.strictEqual((yield* ask(client, get2("/"))).status, 200)
        const silent = yield* open()
        yield* Effect.sleep("50 millis")
        yield* stop
        yield* closed(client)
        yield* closed(silent)
      })
    )

    it.live("after its deadline interrupts, and says 503", () =>
      Effect.gen(function* () {
        const { gate, open, stop } = yield* stoppable(serving2(kind, { drainTimeout: "300 millis" }))
        const client = yield* open()
        const slow = yield* Effect.forkChild(ask(client, get2("/gate")), fork)
        yield* Deferred.await(gate.begun)
        yield* stop
        assert.strictEqual((yield* Fiber.join(slow)).status, 503)
        yield* Deferred.await(gate.interrupted)
      })
    )
  })
}

describe.skipIf(!certificates.available)("HTTP/2 by ALPN", () => {
  it.live("is not offered where it is not wanted", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving("tls", { http2: false }, undefined, ["h2", "http/1.1"])
      const { security } = yield* connect
      assert.strictEqual(security._tag === "Tls" && security.alpn, undefined)
      const offered = yield* serving("tls", {}, undefined, ["http/1.1", "h2"])
      const chosen = (yield* offered.connect).security
      assert.strictEqual(chosen._tag === "Tls" && chosen.alpn, "h2")
    })
  )

  it.live("refuses who speaks neither", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving("tls", {}, undefined, ["imap"])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(connect)))
    })
  )

  it.live("without TLS is not taken unless it is asked for", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving("tcp")
      assert.notInclude(yield* ask(preface), "\u0000\u0000")
    })
  )
})

const stoppable = Effect.fnUntraced(function* <A, E, R>(make: Effect.Effect<A, E, R>) {
  const made = yield* Deferred.make<A, E>()
  const fiber = yield* Effect.forkScoped(
    Effect.scoped(Effect.andThen(Deferred.into(make, made), Effect.never)),
    fork
  )
  return { ...(yield* Deferred.await(made)), stop: Fiber.interrupt(fiber) }
})
