import { assert, describe, it } from "@effect/vitest"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as EndpointSocketServer from "../../src/interop/EndpointSocketServer.ts"
import * as TransportSocket from "../../src/interop/TransportSocket.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { receiveAll, take, takeText, text } from "../../src/testing/suite/bytes.ts"
import { memoryLayer } from "../support/convertedPairs.ts"
import { inetOf } from "../support/endpoints.ts"

const loopback = { port: 0, interface: "127.0.0.1" }
const fork = { startImmediately: true } as const

const connectTo = (address: NetAddress.SocketAddress) =>
  Effect.flatMap(Reactor, (reactor) => reactor.connect(Endpoint.tcpClient(inetOf(address))))

/** Sends back what comes, until the peer ends. */
const echo = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const writer = yield* socket.writer
    const { pull } = yield* socket.reader
    return yield* Effect.forever(Effect.flatMap(pull, writer.writeAll))
  }).pipe(Effect.scoped)

const eventually = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.yieldNow
  }).pipe(Effect.timeout("5 seconds"))

const silent = Logger.layer([])

describe("an endpoint as a SocketServer", () => {
  it.effect("says its address, and serves each connection until its peer ends", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      assert.isTrue(NetAddress.isInetAddress(server.address) && server.address.port > 0)
      yield* Effect.forkScoped(server.run(echo), fork)
      for (let i = 0; i < 3; i++) {
        const transport = yield* connectTo(server.address)
        yield* transport.send(`hello ${i}`)
        yield* transport.end
        assert.strictEqual(text(yield* receiveAll(transport)), `hello ${i}`)
        yield* transport.closed
      }
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("the failure, defect and interruption of a handler end its connection alone", () => {
    const logged: Array<string> = []
    const logging = Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
    return Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      let handled = 0
      const running = yield* Effect.forkScoped(
        server.run((socket): Effect.Effect<never, unknown> => {
          switch (handled++) {
            case 0:
              return Effect.fail("a failure")
            case 1:
              return Effect.die("a defect")
            case 2:
              return Effect.interrupt
            case 3:
              throw new Error("thrown before there was an effect")
            default:
              return echo(socket)
          }
        }),
        fork
      )
      for (let i = 0; i < 4; i++) {
        const transport = yield* connectTo(server.address)
        assert.strictEqual((yield* receiveAll(transport)).length, 0)
      }
      assert.strictEqual(logged.length, 4)
      assert.isTrue(logged.every((line) => line.includes("Unhandled error in SocketServer")))
      const transport = yield* connectTo(server.address)
      yield* transport.send("still there")
      assert.strictEqual(yield* takeText(transport, 11), "still there")
      assert.isUndefined(running.pollUnsafe())
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, logging]))
  })

  it.effect("a handler that returns closes what it did not read, and what it wrote arrives", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            yield* pull
            const writer = yield* socket.writer
            yield* writer.write("goodbye")
          }).pipe(Effect.scoped)
        ),
        fork
      )
      const transport = yield* connectTo(server.address)
      yield* transport.send("hello")
      assert.strictEqual(text(yield* receiveAll(transport)), "goodbye")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("handlers know whom they serve", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      const peer = yield* Deferred.make<string>()
      yield* Effect.forkScoped(
        server.run(() =>
          Effect.flatMap(Effect.serviceOption(EndpointSocketServer.Connection), (connection) =>
            Deferred.succeed(peer, NetAddress.formatSocketAddress(Option.getOrThrow(connection).peer))
          )
        ),
        fork
      )
      const transport = yield* connectTo(server.address)
      assert.strictEqual(yield* Deferred.await(peer), NetAddress.formatSocketAddress(transport.local))
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("interrupting run interrupts handlers, and flushes what they wrote", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      let interrupted = 0
      const running = yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.gen(function* () {
            const writer = yield* socket.writer
            yield* socket.reader
            yield* writer.write("x".repeat(100_000))
            return yield* Effect.never
          }).pipe(
            Effect.scoped,
            Effect.onInterrupt(() =>
              Effect.sync(() => {
                interrupted++
              })
            )
          )
        ),
        fork
      )
      const transport = yield* connectTo(server.address)
      yield* take(transport, 1)
      const stopping = yield* Effect.forkChild(Fiber.interrupt(running), fork)
      assert.strictEqual((yield* receiveAll(transport)).length, 99_999)
      yield* Fiber.join(stopping)
      assert.strictEqual(interrupted, 1)
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.live("draining lets connections end by themselves, for so long", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback), { drainTimeout: "200 millis" })
      const running = yield* Effect.forkScoped(server.run(echo), fork)
      const ends = yield* connectTo(server.address)
      const stays = yield* connectTo(server.address)
      for (const transport of [ends, stays]) {
        yield* transport.send("a")
        assert.strictEqual(yield* takeText(transport, 1), "a")
      }
      const stopping = yield* Effect.forkChild(Fiber.interrupt(running), fork)
      yield* ends.send("b")
      assert.strictEqual(yield* takeText(ends, 1), "b")
      yield* ends.end
      assert.isUndefined(stopping.pollUnsafe())
      // The other one is cut when the time is up.
      assert.strictEqual((yield* receiveAll(stays)).length, 0)
      yield* Fiber.join(stopping)
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("connections that come before run wait for it; a second run is refused", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      const early = yield* connectTo(server.address)
      yield* early.send("early")
      yield* Effect.forkScoped(server.run(echo), fork)
      assert.strictEqual(yield* takeText(early, 5), "early")
      const error = yield* Effect.flip(server.run(echo))
      assert.strictEqual(error.reason._tag, "SocketServerUnknownError")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("a port that is taken is a SocketServerOpenError", () =>
    Effect.gen(function* () {
      const { port } = inetOf((yield* EndpointSocketServer.make(Endpoint.tcp(loopback))).address)
      const error = yield* Effect.flip(
        EndpointSocketServer.make(Endpoint.tcp({ port, interface: "127.0.0.1" }))
      )
      assert.strictEqual(error.reason._tag, "SocketServerOpenError")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.live("Effect's own client over TCP, as a channel", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      yield* Effect.forkScoped(server.run(echo), fork)
      const output = yield* Stream.make("Hello", "World").pipe(
        Stream.encodeText,
        Stream.pipeThroughChannel(NodeSocket.makeNetChannel(inetOf(server.address))),
        Stream.decodeText(),
        Stream.catch((error) =>
          error.reason._tag === "SocketCloseError" && error.reason.code === 1000
            ? Stream.empty
            : Stream.fail(error)
        ),
        Stream.mkString
      )
      assert.strictEqual(output, "HelloWorld")
    }).pipe(Effect.scoped, Effect.provide([NodeReactor.layer, silent]))
  )
})

describe("a SocketServer as a listener", () => {
  const accepting = Effect.fnUntraced(function* (server: EndpointSocketServerService) {
    const scope = yield* Scope.make()
    const listener = yield* Scope.provide(EndpointSocketServer.toListener(server), scope)
    const accepted: Array<Closeable> = []
    const accept = yield* Effect.forkChild(
      Effect.exit(listener.acceptEach((transport) => void accepted.push(transport))),
      fork
    )
    return { listener, accepted, accept, close: Scope.close(scope, Exit.void) }
  })

  type EndpointSocketServerService = Parameters<typeof EndpointSocketServer.toListener>[0]

  it.live("accepts what Effect's server accepts; stopping leaves those be", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const { accepted, accept, close, listener } = yield* accepting(server)
      const client = yield* connectTo(server.address)
      yield* client.send("hello")
      yield* eventually(() => accepted.length === 1)
      assert.strictEqual(yield* takeText(accepted[0]!, 5), "hello")
      assert.strictEqual(
        NetAddress.formatSocketAddress(accepted[0]!.local),
        NetAddress.formatSocketAddress(server.address)
      )
      yield* listener.stop
      yield* listener.stop
      const exit = yield* Fiber.join(accept)
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).length > 0)
      // The port is the server's, and still open: who comes now is dropped.
      const late = yield* connectTo(server.address)
      yield* Effect.exit(receiveAll(late))
      assert.strictEqual(accepted.length, 1)
      yield* accepted[0]!.send("still here")
      assert.strictEqual(yield* takeText(client, 10), "still here")
      yield* accepted[0]!.close
      yield* close
    }).pipe(Effect.scoped, Effect.provide([NodeReactor.layer, silent]))
  )

  it.effect("there and back: a listener as a server as a listener", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      const { accepted, close } = yield* accepting(server)
      const client = yield* connectTo(server.address)
      yield* client.send("hello")
      yield* eventually(() => accepted.length === 1)
      yield* accepted[0]!.send("and back")
      assert.strictEqual(yield* takeText(client, 8), "and back")
      yield* close
      yield* Effect.all([accepted[0]!.close, Effect.andThen(receiveAll(client), client.end)], {
        concurrency: "unbounded"
      })
      // Nothing of it holds the server any more.
      const again = Effect.tapError(server.run(echo), () => Effect.yieldNow)
      yield* Effect.forkScoped(Effect.retry(again, { times: 1_000 }), fork)
      const other = yield* connectTo(server.address)
      yield* other.send("again")
      assert.strictEqual(yield* takeText(other, 5), "again")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )
})

describe("a transport as a Socket", () => {
  const pair = Effect.gen(function* () {
    const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
    const sockets: Array<Socket.Socket> = []
    yield* Effect.forkScoped(
      server.run((socket) =>
        Effect.andThen(
          Effect.sync(() => sockets.push(socket)),
          Effect.never
        )
      ),
      fork
    )
    const transport = yield* connectTo(server.address)
    yield* eventually(() => sockets.length === 1)
    return { transport, socket: sockets[0]! }
  })

  const closeCode = (error: Socket.SocketError) =>
    error.reason._tag === "SocketCloseError" ? error.reason.code : error.reason._tag

  it.effect("the end of the reader's scope fails a pull that waits, and closes the connection", () =>
    Effect.gen(function* () {
      const { socket, transport } = yield* pair
      const scope = yield* Scope.make()
      const { pull } = yield* Scope.provide(socket.reader, scope)
      const waiting = yield* Effect.forkChild(Effect.flip(pull), fork)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), fork)
      assert.strictEqual(closeCode(yield* Fiber.join(waiting)), 1006)
      assert.strictEqual((yield* receiveAll(transport)).length, 0)
      yield* transport.end
      yield* Fiber.join(closing)
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect(
    "the end of the reader's scope fails a pull that waits, also on a connection that is somebody else's",
    () =>
      Effect.gen(function* () {
        const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
        const transport = yield* connectTo(server.address)
        const socket = yield* TransportSocket.make(Effect.succeed(transport))
        const scope = yield* Scope.make()
        const { pull } = yield* Scope.provide(socket.reader, scope)
        const waiting = yield* Effect.forkChild(Effect.flip(pull), fork)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(closeCode(yield* Fiber.join(waiting)), 1006)
        assert.strictEqual(closeCode(yield* Effect.flip(pull)), 1006)
        yield* transport.send("still open")
      }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("ends are close codes, losses are read errors", () =>
    Effect.gen(function* () {
      const ended = yield* pair
      const { pull } = yield* ended.socket.reader
      yield* ended.transport.end
      assert.strictEqual(closeCode(yield* Effect.flip(pull)), 1000)
      const lost = yield* pair
      const reader = yield* lost.socket.reader
      yield* lost.transport.abort
      const error = yield* Effect.flip(reader.pull)
      assert.strictEqual(error.reason._tag, "SocketReadError")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect(
    "writes wait for a connection; the writer's end is a half-close; a close event is told to both",
    () =>
      Effect.gen(function* () {
        const { socket, transport } = yield* pair
        const writeScope = yield* Scope.make()
        const writer = yield* Scope.provide(socket.writer, writeScope)
        const writing = yield* Effect.forkChild(writer.write("early"), fork)
        assert.isUndefined(writing.pollUnsafe())
        const { pull } = yield* socket.reader
        yield* Fiber.join(writing)
        yield* Scope.close(writeScope, Exit.void)
        assert.strictEqual(text(yield* receiveAll(transport)), "early")
        yield* transport.send("reply")
        assert.deepStrictEqual(
          (yield* pull).map((piece) => (typeof piece === "string" ? piece : text(piece))),
          ["reply"]
        )

        const aborted = yield* pair
        const again = yield* aborted.socket.reader
        const closer = yield* aborted.socket.writer
        yield* closer.write(new Socket.CloseEvent(1011, "out of order"))
        const error = yield* Effect.flip(again.pull)
        assert.strictEqual(closeCode(error), 1011)
        const reason = yield* Effect.flip(receiveAll(aborted.transport))
        assert.strictEqual((reason as { reason: { _tag: string } }).reason._tag, "Reset")
      }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("an interrupted pull loses nothing", () =>
    Effect.gen(function* () {
      const { socket, transport } = yield* pair
      const { pull } = yield* socket.reader
      for (let i = 0; i < 20; i++) yield* Fiber.interrupt(yield* Effect.forkChild(pull, fork))
      yield* transport.send("all of it")
      const [piece] = yield* pull
      assert.strictEqual(typeof piece === "string" ? piece : text(piece), "all of it")
    }).pipe(Effect.scoped, Effect.provide([memoryLayer, silent]))
  )

  it.effect("a socket that connects anew each time it is read", () =>
    Effect.gen(function* () {
      const server = yield* EndpointSocketServer.make(Endpoint.tcp(loopback))
      let connections = 0
      yield* Effect.forkScoped(
        server.run((socket) => {
          connections++
          return echo(socket)
        }),
        fork
      )
      const socket = yield* TransportSocket.connect(Endpoint.tcpClient(inetOf(server.address)))
      const writer = yield* socket.writer
      for (let i = 1; i <= 3; i++) {
        yield* Effect.gen(function* () {
          const { pull } = yield* socket.reader
          yield* writer.write(`${i}`)
          const [piece] = yield* pull
          assert.strictEqual(typeof piece === "string" ? piece : text(piece), `${i}`)
        }).pipe(Effect.scoped)
      }
      assert.strictEqual(connections, 3)
      const nowhere = yield* TransportSocket.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 }))
      const error = yield* Effect.flip(nowhere.reader)
      assert.strictEqual(error.reason._tag, "SocketOpenError")
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(memoryLayer, silent)))
  )
})
