/** Server-sent events: who listens, who was away, who is slow; and our client of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as EventSource from "../../src/http/EventSource.ts"
import * as ServerSentEvents from "../../src/http/ServerSentEvents.ts"
import * as Protocol from "../../src/protocol/Protocol.ts"
import * as Wire from "../../src/http/ServerSentEventsWire.ts"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { curl, describePeer } from "../support/peers.ts"
import { get, received, served, serving, until } from "./httpKit.ts"

/** What a client understands. */
const read = (...pieces: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all: Array<string> = []
  const parser = Sse.makeParser((event) => {
    if (event._tag === "Retry") all.push(`retry ${Duration.toMillis(event.duration)}`)
    else
      all.push(`${event.event}${event.id === undefined ? "" : ` ${event.id}`}: ${JSON.stringify(event.data)}`)
  })
  for (const piece of pieces) parser.feed(piece)
  return all
}

describe("events as text", () => {
  const cases: ReadonlyArray<readonly [text: string, events: ReadonlyArray<string>]> = [
    ["data: YHOO\ndata: +2\ndata: 10\n\n", ['message: "YHOO\\n+2\\n10"']],
    [
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      ['message 1: "first event"', 'message : "second event"', 'message : " third event"']
    ],
    ["data\n\ndata\ndata\n\ndata:", ['message: ""', 'message: "\\n"']],
    ["data:test\n\ndata: test\n\n", ['message: "test"', 'message: "test"']],
    ["\uFEFFdata: a\r\n\r\ndata: b\r\rdata: c\n\n", ['message: "a"', 'message: "b"', 'message: "c"']],
    ["event: add\ndata: 1\n\nevent: none\n\ndata: 2\n\n", ['add: "1"', 'message: "2"']],
    ["retry: 10\nretry: 1s\ndata: x\n\n", ["retry 10", 'message: "x"']],
    ["id: 1\0\ndata: x\n\n", ['message: "x"']],
    ["unknown: field\ndata: x\nend", []]
  ]
  for (const [text, events] of cases) {
    it(`${JSON.stringify(text)} whole, and by the character`, () => {
      assert.deepStrictEqual(read(text), events)
      assert.deepStrictEqual(read(...text), events)
    })
  }

  it("come back as they were", () => {
    for (const data of ["", "a", "a\nb", "\n", " leading", ": colon", "data: x\n\nid: forged", "grüße 🧵"]) {
      const text = Result.getOrThrow(Wire.encode({ data, event: "kind", id: "7" }))
      assert.deepStrictEqual(read(text), [`kind 7: ${JSON.stringify(data)}`])
    }
    assert.deepStrictEqual(read(Result.getOrThrow(Wire.encode({ data: "a\r\nb\rc" }))), [
      'message: "a\\nb\\nc"'
    ])
  })

  it("that could be taken for more than they are, are none", () => {
    for (const event of [{ id: "1\ndata: x" }, { id: "1\r" }, { id: "1\0" }, { event: "a\nid: 2" }]) {
      assert.isTrue(Result.isFailure(Wire.encode({ data: "", ...event })))
    }
  })
})

const asText = (stream: Stream.Stream<Uint8Array>) => Stream.decodeText(stream)
/** Everything that is there now; it must end. */
const textOf = (stream: Stream.Stream<Uint8Array>) => Stream.mkString(asText(stream))

describe("a source", () => {
  it.effect("sends what was missed, then what comes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(ServerSentEvents.make({ retry: "2 seconds" }), scope)
      const ids = yield* Effect.forEach(["a", "b", "c"], (data) => source.publish({ data }))
      assert.strictEqual(new Set(ids).size, 3)
      const back = yield* Effect.forkChild(textOf(source.listen(ids[0])), { startImmediately: true })
      const fresh = yield* Effect.forkChild(textOf(source.listen()), { startImmediately: true })
      yield* source.publish({ data: "d", event: "news" })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        read(yield* Fiber.join(back)).map((line) => line.replace(/ [^ ]*:/, ":")),
        ["retry 2000", 'message: "b"', 'message: "c"', 'news: "d"'].map((line) =>
          line.replace(/ [^ ]*:/, ":")
        )
      )
      assert.deepStrictEqual(read(yield* Fiber.join(fresh)).length, 2)
      assert.deepInclude(yield* source.counts, { listeners: 0, kept: 4 })
      // Who comes when it is over is sent what is kept, and no more.
      assert.deepStrictEqual(read(yield* textOf(source.listen(ids[1]))).length, 3)
    })
  )

  it.effect("keeps no more than it may, and tells who has missed more", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(ServerSentEvents.make({ replayMax: 2, gapEvent: "gap" }), scope)
      for (const id of ["1", "2", "3", "4"]) yield* source.publish({ data: id, id })
      const known = yield* Effect.forkChild(textOf(source.listen("3")), { startImmediately: true })
      const unknown = yield* Effect.forkChild(textOf(source.listen("1")), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(read(yield* Fiber.join(known)), ['message 4: "4"'])
      assert.deepStrictEqual(read(yield* Fiber.join(unknown)), [
        'gap: ""',
        'message 3: "3"',
        'message 4: "4"'
      ])
      const small = yield* ServerSentEvents.make({ replayBytesMax: 100 })
      for (let i = 0; i < 50; i++) yield* small.publish({ data: "x".repeat(20), id: String(i) })
      assert.isBelow((yield* small.counts).kept, 4)
      yield* small.publish({ data: "x".repeat(200) })
      assert.strictEqual((yield* small.counts).kept, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("lets go of who is too slow, behind what it has for it", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make({ queueMax: 3 })
      const pull = yield* Stream.toPull(source.listen())
      yield* pull
      const next = yield* Effect.forkChild(pull, { startImmediately: true })
      yield* source.publish({ data: "taken", id: "t" })
      yield* Fiber.join(next)
      for (let i = 0; i < 10; i++) yield* source.publish({ data: String(i), id: String(i) })
      assert.deepInclude(yield* source.counts, { listeners: 0, slow: 1 })
      const decoder = new TextDecoder()
      const rest = yield* pull
      assert.strictEqual(
        rest.map((bytes) => decoder.decode(bytes)).join(""),
        "id: 0\ndata: 0\n\nid: 1\ndata: 1\n\nid: 2\ndata: 2\n\n"
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(pull)))
    }).pipe(Effect.scoped)
  )

  it.effect("says something while nothing happens", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make({ keepAlive: "10 seconds" })
      const pull = yield* Stream.toPull(source.listen())
      yield* pull
      for (let i = 0; i < 3; i++) {
        const next = yield* Effect.forkChild(pull, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(new TextDecoder().decode((yield* Fiber.join(next))[0]), Wire.comment)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("ends its answers behind what they have when the server begins to stop", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make()
      const stopping = yield* Deferred.make<void>()
      const pull = yield* Effect.provideService(
        Stream.toPull(source.listen("none")),
        Protocol.Stopping,
        Deferred.await(stopping)
      )
      const other = yield* Stream.toPull(source.listen())
      yield* Effect.provideService(pull, Protocol.Stopping, Deferred.await(stopping))
      yield* other
      yield* source.publish({ data: "last", id: "1" })
      yield* Deferred.succeed(stopping, undefined)
      while ((yield* source.counts).listeners === 2) yield* Effect.yieldNow
      yield* source.publish({ data: "later", id: "2" })
      const text = (pieces: ReadonlyArray<Uint8Array>) => Buffer.concat(pieces).toString()
      assert.match(text(yield* pull), /data: last\n\n$/)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(pull)))
      assert.match(text(yield* other), /last[^]*later/)
    }).pipe(Effect.scoped)
  )

  it.effect("does not keep a server that stops", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make()
      const scope = yield* Scope.make()
      const routes = served(HttpRouter.add("GET", "/events", source.respond))
      const server = yield* Scope.provide(serving("memory", { drainTimeout: "1 hour" }, routes), scope)
      const transport = yield* server.connect
      yield* transport.send(get("/events", ""))
      yield* until(transport, /200 OK/)
      while ((yield* source.counts).listeners === 0) yield* Effect.yieldNow
      yield* source.publish({ data: "last" })
      // No time passes.
      yield* Scope.close(scope, Exit.void)
      assert.match(yield* received(transport), /data: last\n\n\r\n0\r\n\r\n$/)
      assert.strictEqual((yield* source.counts).listeners, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses what cannot be sent", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make()
      const error = yield* Effect.flip(source.publish({ data: "x", id: "a\nb" }))
      assert.strictEqual(error._tag, "InvalidEvent")
      assert.strictEqual((yield* source.counts).kept, 0)
    }).pipe(Effect.scoped)
  )

  it.live("answers requests, and forgets who has gone", () =>
    Effect.gen(function* () {
      const source = yield* ServerSentEvents.make()
      const server = yield* serving("tcp", {}, served(HttpRouter.add("GET", "/events", source.respond)))
      yield* source.publish({ data: "before", id: "1" })
      yield* source.publish({ data: "missed", id: "2" })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* server.connect
          yield* transport.send(get("/events", "Last-Event-ID: 1\r\n"))
          const answer = yield* until(transport, /missed\n\n/)
          assert.match(answer, /content-type: text\/event-stream\r\n/i)
          assert.match(answer, /cache-control: no-cache\r\n/i)
          assert.notInclude(answer, "before")
          yield* source.publish({ data: "now" })
          yield* until(transport, /data: now\n\n/)
          assert.strictEqual((yield* source.counts).listeners, 1)
          yield* transport.abort
        })
      )
      yield* Effect.repeat(
        Effect.tap(source.counts, () => Effect.sleep(5)),
        { until: ({ listeners }) => listeners === 0 }
      )
    }).pipe(Effect.scoped)
  )
})

describePeer(curl, (program) => {
  it.live(
    "is told the end at once when the server stops, over both versions",
    () =>
      Effect.gen(function* () {
        const source = yield* ServerSentEvents.make()
        const scope = yield* Scope.make()
        const routes = served(HttpRouter.add("GET", "/events", source.respond))
        const options = { drainTimeout: "1 hour", http2PriorKnowledge: true } as const
        const { bound } = yield* Scope.provide(serving("tcp", options, routes), scope)
        const url = `http://127.0.0.1:${inetOf(bound.address).port}/events`
        const listeners = yield* Effect.forEach(["--http1.1", "--http2-prior-knowledge"], (version) =>
          Child.spawn(program, ["-sSN", version, url], { timeout: 40_000 })
        )
        while ((yield* source.counts).listeners < 2) yield* Effect.sleep("10 millis")
        yield* source.publish({ data: "last" })
        yield* Scope.close(scope, Exit.void)
        for (const listener of listeners) {
          const { code, stderr, stdout } = yield* listener.ended
          assert.deepStrictEqual([code, stderr], [0, ""])
          assert.match(stdout, /data: last\n\n$/)
        }
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a client", () => {
  it.live("comes back, and asks for what it missed", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const answers = ["retry: 1\nid: 1\ndata: a\n\ndata: half", "id: 2\nevent: add\ndata: b\n\n", undefined]
      const route = HttpRouter.add(
        "GET",
        "/events",
        Effect.map(HttpServerRequest, ({ headers }) => {
          asked.push(headers["last-event-id"] ?? "none")
          const answer = answers[asked.length - 1]
          return answer === undefined
            ? HttpServerResponse.empty({ status: 204 })
            : HttpServerResponse.text(answer, { contentType: "text/event-stream; charset=utf-8" })
        })
      )
      const { bound } = yield* serving("tcp", {}, served(route))
      const url = `http://127.0.0.1:${inetOf(bound.address).port}/events`
      const events = yield* Stream.runCollect(EventSource.events(url))
      assert.deepStrictEqual(
        [...events],
        [
          { event: "message", data: "a", id: "1" },
          { event: "add", data: "b", id: "2" }
        ]
      )
      assert.deepStrictEqual(asked, ["none", "1", "2"])
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )

  it.live("comes back to a server that is not there, for as long as it takes", () =>
    Effect.gen(function* () {
      const events = EventSource.events("http://127.0.0.1:1/", { retry: 1 })
      assert.strictEqual((yield* Effect.timeoutOption(Stream.runDrain(events), 100))._tag, "None")
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )

  it.live("knows when there is no use in that", () =>
    Effect.gen(function* () {
      const routes = Layer.mergeAll(
        HttpRouter.add("GET", "/gone", HttpServerResponse.empty({ status: 404 })),
        HttpRouter.add("GET", "/page", HttpServerResponse.html("<p>")),
        HttpRouter.add(
          "GET",
          "/long",
          HttpServerResponse.text("data: 12345678901234567890", { contentType: "text/event-stream" })
        )
      )
      const { bound } = yield* serving("tcp", {}, served(routes))
      const url = `http://127.0.0.1:${inetOf(bound.address).port}`
      const reasonOf = (path: string) =>
        Effect.map(
          Effect.flip(Stream.runDrain(EventSource.events(url + path, { eventLengthMax: 10 }))),
          ({ reason }) => reason
        )
      assert.strictEqual(yield* reasonOf("/gone"), "Status")
      assert.strictEqual(yield* reasonOf("/page"), "ContentType")
      assert.strictEqual(yield* reasonOf("/long"), "TooLong")
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
  )
})
