/** Requests behind one another, peers that go, bodies that wait: how a connection is kept. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import {
  bodyOf,
  get,
  type Kind,
  makeGate,
  post,
  received,
  served,
  serving,
  statusOf,
  unchunked,
  until
} from "./httpKit.ts"

const fork = { startImmediately: true } as const

/** Tells what began and what ended, and waits at `/slow`. */
const staged = Effect.fnUntraced(function* (kind: Kind, options?: Parameters<typeof serving>[1]) {
  const gate = yield* makeGate
  const story: Array<string> = []
  const routes = HttpRouter.addAll([
    HttpRouter.route(
      "*",
      "/slow",
      Effect.gen(function* () {
        story.push("slow begins")
        yield* Deferred.succeed(gate.begun, undefined)
        yield* Deferred.await(gate.open)
        story.push("slow ends")
        return HttpServerResponse.text("slow")
      }).pipe(Effect.onInterrupt(() => Deferred.succeed(gate.interrupted, undefined)))
    ),
    HttpRouter.route(
      "*",
      "/fast/*",
      Effect.map(HttpServerRequest, ({ url }) => {
        story.push(url)
        return HttpServerResponse.text(url)
      })
    )
  ])
  return { ...(yield* serving(kind, options, served(routes))), gate, story }
})

for (const kind of ["tcp", "memory"] as const) {
  describe(`one connection over ${kind}`, () => {
    it.live("begins a request when the one before it was answered", () =>
      Effect.gen(function* () {
        const { connect, gate, story } = yield* staged(kind)
        const transport = yield* connect
        yield* transport.send(get("/slow", "") + get("/fast/1", "") + get("/fast/2"))
        yield* Deferred.await(gate.begun)
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        assert.deepStrictEqual(story, ["slow begins"])
        yield* Deferred.succeed(gate.open, undefined)
        const answers = yield* received(transport)
        assert.deepStrictEqual(answers.match(/slow$|slow(?=HTTP)|\/fast\/\d/gm), [
          "slow",
          "/fast/1",
          "/fast/2"
        ])
        assert.deepStrictEqual(story, ["slow begins", "slow ends", "/fast/1", "/fast/2"])
      })
    )

    it.live("takes a thousand requests at once, and reads no more than it can keep", () =>
      Effect.gen(function* () {
        const { connect, gate } = yield* staged(kind, { requestsPerConnectionMax: 0 })
        const transport = yield* connect
        yield* transport.send(get("/slow", ""))
        yield* Deferred.await(gate.begun)
        // Far more than what the system takes for a peer that reads nothing.
        const piece = Array.from({ length: 500 }, () =>
          get("/fast/x", `X-Filling: ${"y".repeat(2_000)}\r\n`)
        ).join("")
        let sent = 0
        const sending = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 20 }),
            () =>
              Effect.andThen(
                transport.send(piece),
                Effect.sync(() => void sent++)
              ),
            { discard: true }
          ),
          fork
        )
        yield* Effect.sleep("200 millis")
        assert.isBelow(sent, 20)
        const counting = yield* Effect.forkChild(
          Effect.gen(function* () {
            let count = 0
            let last = ""
            while (count < 10_001) {
              const text = last + new TextDecoder().decode(yield* transport.receive)
              count += text.split("HTTP/1.1 200 OK").length - 1
              last = text.slice(-14).replace("HTTP/1.1 200 OK", "")
            }
            return count
          }),
          fork
        )
        yield* Deferred.succeed(gate.open, undefined)
        assert.strictEqual(yield* Fiber.join(counting), 10_001)
        yield* Fiber.join(sending)
      })
    )

    it.live("refuses what is no request behind those that were", () =>
      Effect.gen(function* () {
        for (const bad of [
          "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
          "rubbish\r\n\r\n",
          get("/fast/%", "Host: b\r\n")
        ]) {
          const { connect, gate, story } = yield* staged(kind)
          const transport = yield* connect
          yield* transport.send(get("/slow", "") + bad + get("/fast/behind"))
          yield* Deferred.await(gate.begun)
          // It has begun in the midst of what came.
          yield* Effect.sleep("1 millis")
          yield* Deferred.succeed(gate.open, undefined)
          const answers = yield* received(transport)
          assert.match(answers, /^HTTP\/1\.1 200 OK[^]*slow/)
          assert.deepStrictEqual(story, ["slow begins", "slow ends"])
          assert.isTrue(answers.endsWith("slow") || answers.endsWith("\r\n\r\n"), answers)
        }
      })
    )

    it.live("gives no tunnel, and survives who breaks one off", () =>
      Effect.gen(function* () {
        const { ask, connect } = yield* staged(kind)
        assert.strictEqual(statusOf(yield* ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")), "501")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* connect
            yield* transport.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
            yield* until(transport, / 501 /)
            yield* transport.abort
            yield* Effect.sleep("20 millis")
          })
        )
        assert.strictEqual(statusOf(yield* ask(get("/fast/1"))), "200")
      })
    )

    it.live("changes to no other protocol, and goes on in its own", () =>
      Effect.gen(function* () {
        const { ask } = yield* staged(kind)
        const headers = "Upgrade: websocket, h2c\r\nConnection: upgrade, close\r\nSec-WebSocket-Key: AAAA\r\n"
        const answer = yield* ask(get("/fast/1", headers))
        assert.deepStrictEqual([statusOf(answer), bodyOf(answer)], ["200", "/fast/1"])
      })
    )

    it.live("expects nothing but 100-continue", () =>
      Effect.gen(function* () {
        const { ask } = yield* staged(kind)
        assert.strictEqual(statusOf(yield* ask(get("/fast/1", "Expect: the-moon\r\n"))), "417")
      })
    )

    it.live("does not cut a request that begins late", () =>
      Effect.gen(function* () {
        // Peers have a second more.
        const { connect } = yield* staged(kind, { keepAliveTimeout: "1 second" })
        const transport = yield* connect
        yield* transport.send(get("/fast/1", ""))
        yield* until(transport, /fast\/1$/)
        const [begin, rest] = [get("/fast/2").slice(0, 10), get("/fast/2").slice(10)]
        yield* Effect.sleep("1500 millis")
        yield* transport.send(begin)
        yield* Effect.sleep("1 second")
        yield* transport.send(rest)
        assert.match(yield* received(transport), /fast\/2$/)
      })
    )

    it.live("answers who has ended its own side, and interrupts what is in vain", () =>
      Effect.gen(function* () {
        const { connect, gate } = yield* staged(kind, { halfClosedTimeout: "300 millis" })
        const patient = yield* connect
        yield* patient.send(get("/slow"))
        yield* patient.end
        yield* Deferred.await(gate.begun)
        // Whoever has closed has ended its side, too.
        assert.strictEqual((yield* received(patient)).replace("<reset>", ""), "")
        yield* Deferred.await(gate.interrupted)
      })
    )
  })

  describe(`the end of a server over ${kind}`, () => {
    it.live("answers all that were asked behind one another, the last as such", () =>
      Effect.gen(function* () {
        const { connect, gate, stop } = yield* stoppable(staged(kind, { drainTimeout: "1 minute" }))
        const transport = yield* connect
        yield* transport.send(get("/slow", "") + get("/fast/1", "") + get("/fast/2", ""))
        yield* Deferred.await(gate.begun)
        // It has begun in the midst of what came.
        yield* Effect.sleep("1 millis")
        const stopped = yield* Effect.forkChild(stop, fork)
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        yield* transport.send(get("/fast/late", ""))
        yield* Deferred.succeed(gate.open, undefined)
        const answers = yield* received(transport)
        assert.match(answers, /slowHTTP[^]*\/fast\/1HTTP[^]*\/fast\/2$/)
        assert.deepStrictEqual(answers.match(/^connection: .*$/gim)?.at(-1), "connection: close")
        assert.strictEqual(answers.match(/^connection: close\r$/gim)?.length, 1)
        yield* Fiber.join(stopped)
      })
    )

    it.live("lets who has just come, or just asked, ask once more", () =>
      Effect.gen(function* () {
        const { connect, stop } = yield* stoppable(staged(kind, { drainIdleTimeout: "20 seconds" }))
        const [fresh, kept] = yield* Effect.all([connect, connect])
        yield* kept.send(get("/fast/1", ""))
        yield* until(kept, /fast\/1$/)
        const stopped = yield* Effect.forkChild(stop, fork)
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        yield* fresh.send(get("/fast/2", ""))
        yield* kept.send(get("/fast/3", "") + get("/fast/4", ""))
        const answers = [yield* received(fresh), yield* received(kept)]
        assert.deepStrictEqual(answers.map(bodyOf), ["/fast/2", "/fast/3"])
        for (const answer of answers) assert.match(answer, /^connection: close\r$/im)
        yield* Fiber.join(stopped)
      })
    )
  })
}

const stoppable = Effect.fnUntraced(function* <A, E, R>(make: Effect.Effect<A, E, R>) {
  const made = yield* Deferred.make<A, E>()
  const fiber = yield* Effect.forkScoped(
    Effect.scoped(Effect.andThen(Deferred.into(make, made), Effect.never)),
    fork
  )
  return { ...(yield* Deferred.await(made)), stop: Fiber.interrupt(fiber) }
})

describe("bodies", () => {
  it.live("are of the asked kind: HEAD has none, streams go in chunks, files whole", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-http-"))),
        (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
      )
      const file = path.join(directory, "page.txt")
      const content = "0123456789abcdef".repeat(20_000)
      fs.writeFileSync(file, content)
      const chunks = Stream.make("one ", "two ", "three").pipe(Stream.encodeText)
      let opened = 0
      const counted = Stream.unwrap(Effect.sync(() => (opened++, chunks)))
      const routes = HttpRouter.addAll([
        HttpRouter.route("GET", "/file", HttpServerResponse.file(file)),
        HttpRouter.route("GET", "/stream", HttpServerResponse.stream(counted)),
        HttpRouter.route("GET", "/sized", HttpServerResponse.stream(counted, { contentLength: 13 })),
        HttpRouter.route("GET", "/short", HttpServerResponse.stream(counted, { contentLength: 20 })),
        HttpRouter.route("GET", "/long", HttpServerResponse.stream(counted, { contentLength: 5 })),
        HttpRouter.route("GET", "/web", HttpServerResponse.raw(new Response("from the web"))),
        HttpRouter.route("GET", "/none", HttpServerResponse.empty())
      ])
      const { ask } = yield* serving(
        "tcp",
        {},
        Layer.provide(served(routes), NodeHttpServer.layerHttpServices)
      )
      const whole = yield* ask(get("/file"))
      assert.match(whole, /^content-length: 320000\r$/im)
      assert.match(whole, /^content-type: text\/plain/im)
      assert.strictEqual(bodyOf(whole), content)
      assert.strictEqual(unchunked(bodyOf(yield* ask(get("/stream")))), "one two three")
      assert.strictEqual(bodyOf(yield* ask(get("/sized"))), "one two three")
      // One that is not as long as was said is not taken for whole: it is broken off.
      for (const path of ["/short", "/long"]) {
        const answer = yield* ask(get(path, ""))
        assert.isTrue(answer.endsWith("<reset>") || bodyOf(answer).length < 20, answer)
      }
      assert.strictEqual(unchunked(bodyOf(yield* ask(get("/web")))), "from the web")
      const none = yield* ask(get("/none"))
      assert.strictEqual(statusOf(none), "204")
      assert.notMatch(none, /content-length|transfer-encoding/i)
      opened = 0
      for (const path of ["/file", "/stream", "/sized", "/none"]) {
        const head = yield* ask(get(path).replace("GET", "HEAD"))
        assert.match(head, /^HTTP\/1\.1 20[04] [^]*\r\n\r\n$/)
      }
      assert.strictEqual(opened, 0)
    })
  )

  for (const kind of ["tcp", "memory"] as const) {
    it.live(`go at the pace of who takes them, over ${kind}`, () =>
      Effect.gen(function* () {
        let made = 0
        let taken = 0
        const proceed = yield* Deferred.make<void>()
        const routes = HttpRouter.addAll([
          HttpRouter.route(
            "GET",
            "/down",
            HttpServerResponse.stream(
              Stream.forever(Stream.fromEffect(Effect.sync(() => (made++, new Uint8Array(65_536)))))
            )
          ),
          HttpRouter.route(
            "POST",
            "/up",
            Effect.flatMap(HttpServerRequest, ({ stream }) =>
              Stream.runForEach(stream, (bytes) => {
                taken += bytes.length
                return Deferred.await(proceed)
              }).pipe(Effect.as(HttpServerResponse.text("up")))
            )
          )
        ])
        const { connect } = yield* serving(kind, { bodyBytesMax: Number.POSITIVE_INFINITY }, served(routes))
        const down = yield* connect
        yield* down.send(get("/down", ""))
        const up = yield* connect
        const length = 64 * 1_048_576
        let sent = 0
        yield* up.send(
          `POST /up HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`
        )
        const piece = new Uint8Array(1_048_576)
        const sending = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 64 }),
            () =>
              Effect.andThen(
                up.send(piece),
                Effect.sync(() => void (sent += piece.length))
              ),
            { discard: true }
          ),
          fork
        )
        /** Until it changes no more. */
        const settled = (value: () => number) =>
          Effect.gen(function* () {
            let same = 0
            for (let last = -1; same < 4; last = value()) {
              yield* Effect.sleep("50 millis")
              same = value() === last ? same + 1 : 0
            }
          })
        yield* settled(() => made)
        assert.isAbove(made, 0)
        assert.isBelow(made * 65_536, length)
        yield* settled(() => sent)
        assert.isBelow(sent, length)
        assert.isBelow(taken, 1_048_576)
        yield* Deferred.succeed(proceed, undefined)
        yield* Fiber.join(sending)
        assert.match(yield* received(up), /up$/)
        assert.strictEqual(taken, length)
        yield* down.abort
      })
    )
  }

  it.live("that are broken off end whoever reads them", () =>
    Effect.gen(function* () {
      const told = yield* Deferred.make<string>()
      const routes = HttpRouter.addAll([
        HttpRouter.route(
          "POST",
          "/up",
          Effect.flatMap(HttpServerRequest, ({ text }) => text).pipe(
            Effect.onExit((exit) => Deferred.succeed(told, exit._tag)),
            Effect.as(HttpServerResponse.text("up"))
          )
        )
      ])
      const { connect } = yield* serving("tcp", {}, served(routes))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* connect
          yield* transport.send(post("/up", "part").replace("Length: 4", "Length: 10"))
          yield* Effect.sleep("20 millis")
          yield* transport.abort
        })
      )
      assert.strictEqual(yield* Deferred.await(told), "Failure")
    })
  )
})

describe("defects", () => {
  it.live("of a handler are answered with 500, and tell nothing", () =>
    Effect.gen(function* () {
      const routes = HttpRouter.addAll([HttpRouter.route("GET", "/", Effect.die(new Error("secret")))])
      const { ask } = yield* serving("memory", {}, served(routes))
      const answer = yield* ask(get("/"))
      assert.strictEqual(statusOf(answer), "500")
      assert.notInclude(answer, "secret")
    })
  )
})

describe("the peer of a request", () => {
  it.live("is known when its connection was reset meanwhile", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const told = yield* Deferred.make<Option.Option<string>>()
      const routes = HttpRouter.add(
        "GET",
        "/",
        Effect.flatMap(HttpServerRequest, (request) =>
          Effect.andThen(Deferred.succeed(gate.begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(told, request.remoteAddress))
          )
        )
      )
      const { connect } = yield* serving("tcp", {}, served(routes))
      const transport = yield* connect
      yield* transport.send(get("/", ""))
      yield* Deferred.await(gate.begun)
      yield* transport.abort
      assert.deepStrictEqual(yield* Deferred.await(told), Option.some("127.0.0.1"))
    })
  )
})
