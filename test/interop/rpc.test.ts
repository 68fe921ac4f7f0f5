/**
 * Effect's RPC over endpoints: the behaviours that Effect's own tests check over its TCP sockets, each one over memory, TCP and TLS,
 * in every serialization for byte streams. The list is in `src/interop/README.md`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Socket } from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import * as EndpointSocketServer from "../../src/interop/EndpointSocketServer.ts"
import * as TransportSocket from "../../src/interop/TransportSocket.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as certificates from "../support/certificates.ts"
import { memoryLayer } from "../support/convertedPairs.ts"
import { echoTls, inetOf } from "../support/endpoints.ts"
import { Book, LibraryClient, NotFound, server } from "./library.ts"

interface Kind {
  readonly name: string
  readonly missing: boolean
  readonly reactor: Layer.Layer<Reactor>
  readonly listen: Endpoint.Server
  readonly connect: (address: SocketServer.SocketServer["Service"]["address"]) => Endpoint.Client
}

const loopback = { port: 0, interface: "127.0.0.1" }
const tls = echoTls() ?? { server: { identity: certificates.nobody }, client: {} }

const plain = {
  listen: Endpoint.tcp(loopback),
  connect: (address: SocketServer.SocketServer["Service"]["address"]) => Endpoint.tcpClient(inetOf(address))
}

const memory: Kind = { name: "memory", missing: false, reactor: memoryLayer, ...plain }
const kinds: ReadonlyArray<Kind> = [
  memory,
  { name: "TCP", missing: false, reactor: NodeReactor.layer, ...plain },
  {
    name: "TLS",
    missing: !certificates.available,
    reactor: NodeReactor.layer,
    listen: Endpoint.tls({ ...loopback, tls: tls.server }),
    connect: (address) => Endpoint.tlsClient({ ...inetOf(address), tls: tls.client })
  }
]

const serializations = {
  ndjson: RpcSerialization.layerNdjson,
  jsonrpc: RpcSerialization.layerNdJsonRpc(),
  binary: RpcSerialization.layerSchemaBinary()
}

/** What serves on the endpoint. */
const serverOn = (kind: Kind) =>
  RpcServer.layerProtocolSocketServer.pipe(Layer.provideMerge(EndpointSocketServer.layer(kind.listen)))

/** A socket to whatever serves there. */
const socketTo = (kind: Kind) =>
  Layer.unwrap(
    Effect.map(SocketServer.SocketServer, ({ address }) => TransportSocket.layer(kind.connect(address)))
  )

const clientOn = (kind: Kind, options?: Parameters<typeof RpcClient.layerProtocolSocket>[0]) =>
  RpcClient.layerProtocolSocket(options).pipe(Layer.provide(socketTo(kind)))

const libraryOn = (kind: Kind, serialization: Layer.Layer<RpcSerialization.RpcSerialization>) =>
  LibraryClient.layer.pipe(
    Layer.provide(clientOn(kind)),
    Layer.provideMerge(Layer.provideMerge(server, serverOn(kind))),
    Layer.provide([kind.reactor, serialization])
  )

/** Goes on when the counts of the server say so. */
const reported = (
  condition: (counts: { readonly interrupted: number; readonly shelved: number }) => boolean
) =>
  Effect.gen(function* () {
    const client = yield* LibraryClient
    for (;;) {
      const counts = yield* client.Report()
      if (condition(counts)) return counts
      yield* Effect.yieldNow
    }
  }).pipe(Effect.timeout("5 seconds"))

const booksOf = <E, R>(stream: Stream.Stream<Book, E, R>) => Stream.runCollect(Stream.take(stream, 5))

for (const kind of kinds) {
  for (const [name, serialization] of Object.entries(serializations)) {
    describe.skipIf(kind.missing)(`RPC over ${kind.name}, ${name}`, () => {
      const test = (title: string, body: Effect.Effect<void, unknown, LibraryClient | RpcServer.Protocol>) =>
        it.live(title, () => Effect.scoped(Effect.provide(body, libraryOn(kind, serialization))))

      test(
        "a call gives an instance of its class, by way of the client's and the server's middleware",
        Effect.gen(function* () {
          const book = yield* (yield* LibraryClient).Borrow({ title: "Ulysses" })
          assert.instanceOf(book, Book)
          assert.deepStrictEqual(book, new Book({ title: "Ulysses", reader: "nobody by the desk" }))
        })
      )

      test(
        "headers of the caller reach the handler, and may be refused",
        Effect.gen(function* () {
          const client = yield* LibraryClient
          const as = (reader: string) => RpcClient.withHeaders({ reader })
          const book = yield* client.Borrow({ title: "Emma" }).pipe(as("Ann"))
          assert.strictEqual(book.reader, "Ann by the desk")
          const refusal = yield* Effect.flip(client.Borrow({ title: "Emma" }).pipe(as("banned")))
          assert.strictEqual(refusal._tag, "Refused")
        })
      )

      test(
        "a handler may answer with a Deferred",
        Effect.gen(function* () {
          const book = yield* (yield* LibraryClient).Reserve({ title: "Emma" })
          assert.deepStrictEqual(book, new Book({ title: "Emma", reader: "reserved" }))
        })
      )

      test(
        "an Option stays one",
        Effect.gen(function* () {
          const found = yield* (yield* LibraryClient).Look({ title: "Emma" })
          assert.deepStrictEqual(found, Option.some(new Book({ title: "Emma", reader: "nobody" })))
        })
      )

      test(
        "names with a dot, no payload, no result",
        Effect.gen(function* () {
          assert.isUndefined(yield* (yield* LibraryClient)["desk.bell"]())
        })
      )

      test(
        "a typed error is one for the caller",
        Effect.gen(function* () {
          const error = yield* Effect.flip((yield* LibraryClient).Borrow({ title: "lost" }))
          assert.instanceOf(error, NotFound)
          assert.strictEqual((error as NotFound).title, "lost")
        })
      )

      test(
        "a defect is the caller's, as it was",
        Effect.gen(function* () {
          const cause = yield* Effect.flip(Effect.sandbox((yield* LibraryClient).Collapse()))
          assert.deepStrictEqual(Cause.squash(cause), "the shelf fell")
        })
      )

      test(
        "a defect with a schema of its own comes with its stack",
        Effect.gen(function* () {
          const cause = yield* Effect.flip(Effect.sandbox((yield* LibraryClient).CollapseWithStack()))
          const defect = Cause.squash(cause) as Error
          assert.instanceOf(defect, Error)
          assert.strictEqual(defect.name, "ShelfError")
          assert.strictEqual(defect.message, "the shelf fell")
          assert.strictEqual(defect.stack, "ShelfError: the shelf fell\n  at aisle.ts:7")
        })
      )

      test(
        "a stream: as many elements as are taken, and its handler is interrupted then",
        Effect.gen(function* () {
          const client = yield* LibraryClient
          const books = yield* booksOf(client.Shelf({ title: "Emma" }))
          assert.deepStrictEqual(
            books.map((book) => book.reader),
            ["1", "2", "3", "4", "5"]
          )
          const counts = yield* reported(({ interrupted }) => interrupted === 1)
          // Each element waits for the one before to be taken.
          assert.isAtMost(counts.shelved, 7)
        })
      )

      test(
        "a stream that fails gives what came before",
        Effect.gen(function* () {
          const seen: Array<Book> = []
          const error = yield* (yield* LibraryClient).Shelf({ title: "lost" }).pipe(
            Stream.runForEach((book) => Effect.sync(() => seen.push(book))),
            Effect.flip
          )
          assert.instanceOf(error, NotFound)
          assert.strictEqual(seen.length, 1)
        })
      )

      test(
        "an interrupted call interrupts its handler",
        Effect.gen(function* () {
          const client = yield* LibraryClient
          const waiting = yield* Effect.forkChild(client.Wait(), { startImmediately: true })
          for (let i = 0; i < 10; i++) yield* client["desk.bell"]()
          assert.isUndefined(waiting.pollUnsafe())
          assert.strictEqual((yield* client.Report()).interrupted, 0)
          yield* Fiber.interrupt(waiting)
          yield* reported(({ interrupted }) => interrupted === 1)
        })
      )

      test(
        "middleware around a handler sees success and defect",
        Effect.gen(function* () {
          const client = yield* LibraryClient
          assert.strictEqual(yield* client.Pass({ fails: false }), 1)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(client.Pass({ fails: true }))))
          const { crashed, passed } = yield* client.Report()
          assert.deepStrictEqual({ crashed, passed }, { crashed: 1, passed: 1 })
        })
      )

      test(
        "many calls at once, large and small, do not mix",
        Effect.gen(function* () {
          const client = yield* LibraryClient
          yield* Effect.forEach(
            Array.from({ length: 100 }, (_, i) => "x".repeat((i % 10) ** 5) + i),
            (title) => Effect.map(client.Borrow({ title }), (book) => assert.strictEqual(book.title, title)),
            { concurrency: "unbounded", discard: true }
          )
        })
      )
    })
  }
}

// --- one connection, many calls ---------------------------------------------------------------------------

const Tick = Rpc.make("Tick", { success: Schema.Number, stream: true })
const Boom = Rpc.make("Boom", { success: Schema.String })
const Unknown = Rpc.make("Unknown", { success: Schema.String })

const ticking = RpcGroup.make(Tick, Boom)
const ticks = ticking.toLayer({
  Tick: () =>
    Stream.tap(
      Stream.iterate(0, (n) => n + 1),
      () => Effect.sleep("1 millis")
    ),
  Boom: () => Effect.die("boom")
})

for (const kind of kinds) {
  describe.skipIf(kind.missing)(`RPC over ${kind.name}: calls on one connection`, () => {
    const served = RpcServer.layer(ticking, { disableFatalDefects: true }).pipe(
      Layer.provide(ticks),
      Layer.provideMerge(serverOn(kind))
    )
    const connected = clientOn(kind).pipe(
      Layer.provideMerge(served),
      Layer.provide([kind.reactor, RpcSerialization.layerNdjson])
    )

    /** Another call fails while a stream is on its way: the stream goes on. */
    const survives = (failing: "Boom" | "Unknown") =>
      Effect.gen(function* () {
        const client = yield* RpcClient.make(RpcGroup.make(Tick, Boom, Unknown))
        let received = 0
        const stream = yield* client.Tick().pipe(
          Stream.runForEach(() =>
            Effect.sync(() => {
              received++
            })
          ),
          Effect.forkChild({ startImmediately: true })
        )
        const reached = (count: number) =>
          Effect.gen(function* () {
            while (received < count) yield* Effect.sleep("1 millis")
          }).pipe(Effect.timeout("5 seconds"))
        yield* reached(2)
        const exit = yield* Effect.exit(client[failing]())
        assert.isTrue(Exit.isFailure(exit))
        yield* reached(received + 5)
        assert.isUndefined(stream.pollUnsafe())
        yield* Fiber.interrupt(stream)
      }).pipe(Effect.scoped, Effect.provide(connected))

    it.live("a call that the server does not know fails alone", () => survives("Unknown"))
    it.live("a defect of a handler fails its call alone", () => survives("Boom"))
  })
}

// --- losing and making connections ------------------------------------------------------------------------

describe("RPC over memory: connections", () => {
  const serialization = RpcSerialization.layerNdjson

  it.live("a server that goes away fails what is under way; the client connects to its successor", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const address = yield* Deferred.make<SocketServer.SocketServer["Service"]["address"]>()
      /** Serves at the same port each time. */
      const serve = (port: number) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const layer = RpcServer.layer(ticking).pipe(
            Layer.provide(ticks),
            Layer.provideMerge(
              serverOn({ ...memory, listen: Endpoint.tcp({ port, interface: "127.0.0.1" }) })
            ),
            Layer.provide([Layer.succeed(Reactor)(reactor), serialization])
          )
          const context = yield* Layer.buildWithScope(layer, scope)
          yield* Effect.provideContext(
            Effect.flatMap(SocketServer.SocketServer, (server) => Deferred.succeed(address, server.address)),
            context
          )
          return Scope.close(scope, Exit.void)
        })
      const stop = yield* serve(0)
      const { port } = inetOf(yield* Deferred.await(address))
      const socket = yield* TransportSocket.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
      const errors: Array<RpcClientError> = []
      const protocol = yield* RpcClient.makeProtocolSocket({
        retryTransientErrors: true,
        retryPolicy: Schedule.spaced("5 millis"),
        onTransientError: (error) => Effect.sync(() => void errors.push(error))
      }).pipe(Effect.provideService(Socket, socket), Effect.provide(serialization))
      const client = yield* RpcClient.make(ticking).pipe(Effect.provideService(RpcClient.Protocol, protocol))

      const cut = yield* Effect.forkChild(Effect.exit(Stream.runDrain(client.Tick())), {
        startImmediately: true
      })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.Tick(), 2)), [0, 1])
      yield* stop
      // By the server's word, or by the end of the connection, whichever comes first.
      assert.isTrue(Exit.isFailure(yield* Fiber.join(cut)))

      while (errors.length < 3) yield* Effect.sleep("1 millis")
      assert.isTrue(errors.every(({ reason }) => reason._tag === "SocketOpenError"))
      const stopAgain = yield* serve(port)
      yield* Effect.addFinalizer(() => stopAgain)
      // Until it is connected again, calls fail with the last error.
      const again = Stream.runCollect(Stream.take(client.Tick(), 2)).pipe(
        Effect.retry({ schedule: Schedule.spaced("5 millis"), times: 500 })
      )
      assert.deepStrictEqual(yield* again, [0, 1])
    }).pipe(Effect.scoped, Effect.provide(memoryLayer))
  )

  it.live("calls fail when nobody listens and the attempts are used up", () =>
    Effect.gen(function* () {
      const socket = yield* TransportSocket.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 }))
      const protocol = yield* RpcClient.makeProtocolSocket({
        retryTransientErrors: true,
        retryPolicy: Schedule.recurs(2)
      }).pipe(Effect.provideService(Socket, socket), Effect.provide(serialization))
      const client = yield* RpcClient.make(ticking).pipe(Effect.provideService(RpcClient.Protocol, protocol))
      const error = yield* client.Boom().pipe(Effect.timeout("5 seconds"), Effect.flip)
      assert.instanceOf(error, RpcClientError)
      assert.strictEqual((error as RpcClientError).reason._tag, "SocketOpenError")
    }).pipe(Effect.scoped, Effect.provide(memoryLayer))
  )

  it.live("a peer that sends more than the serialization takes is closed, and others are served", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const { address } = yield* SocketServer.SocketServer
      const rude = yield* reactor.connect(Endpoint.tcpClient(inetOf(address)))
      yield* rude.send("1".repeat(2_000))
      const reason = yield* Effect.flip(rude.receive)
      assert.strictEqual("reason" in reason ? reason.reason._tag : reason._tag, "Reset")
      const client = yield* RpcClient.make(ticking)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.Tick(), 2)), [0, 1])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        clientOn(memory).pipe(
          Layer.provideMerge(
            RpcServer.layer(ticking).pipe(Layer.provide(ticks), Layer.provideMerge(serverOn(memory)))
          ),
          Layer.provideMerge(memoryLayer),
          Layer.provide(RpcSerialization.layerNdjsonWith({ maxBufferSize: 1_000 }))
        )
      )
    )
  )
})
