/** What can happen while connections are under way from thread to thread: both ends of the way are in this one. */
import * as net from "node:net"
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as NodeHandoff from "../../src/node/NodeHandoff.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import type { Conversation } from "../../src/reactor/Conversation.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { echo, logged, server as identity } from "./tlsEcho.ts"

const loopback = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
const now = { startImmediately: true } as const
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer)))

const channel = Effect.acquireRelease(
  Effect.sync(() => {
    const { port1, port2 } = new MessageChannel()
    return { here: port1, there: port2 }
  }),
  ({ here, there }) =>
    Effect.sync(() => {
      here.close()
      there.close()
    })
)

/** Accepts at a port and gives away; `reasons` are those for which it could not. */
const giving = Effect.fnUntraced(function* (
  give: Conversation<Transport, TransportError, never>,
  endpoint: Endpoint.Server = loopback
) {
  const reasons: Array<string> = []
  const server = yield* Server.make(endpoint, (transport) =>
    Effect.tapError(give(transport), ({ reason }) => Effect.sync(() => void reasons.push(reason._tag)))
  )
  return { server, reasons, address: inetOf(server.address) }
})

/** A client, and how it went: all that came, and then the end, or what ended it. */
const client = Effect.fnUntraced(function* (address: net.NetConnectOpts) {
  const ended = yield* Deferred.make<string>()
  const socket = yield* Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      let all = ""
      const socket = net.connect({ ...address, allowHalfOpen: true }, () => resume(Effect.succeed(socket)))
      const done = (how: string) => Deferred.doneUnsafe(ended, Exit.succeed(all + how))
      socket.on("data", (bytes: Buffer) => {
        all += bytes.toString()
      })
      socket.on("end", () => done("<end>"))
      socket.on("error", ({ code }: NodeJS.ErrnoException) => done(`<${code}>`))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  return { socket, ended: Deferred.await(ended) }
})

/** Waits for the next message that comes out of the port, of its kind. */
const message = <A>(port: MessagePort, tag: string) =>
  Effect.callback<A>((resume) => {
    const listener = (value: { readonly _tag: string }) => {
      if (value._tag !== tag) return
      port.off("message", listener)
      resume(Effect.succeed(value as A))
    }
    port.on("message", listener)
    return Effect.sync(() => port.off("message", listener))
  })

/** Everything that is accepted, in its order. */
const accepting = Effect.fnUntraced(function* (endpoint: Endpoint.Server) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(endpoint)
  const arrivals: Array<Closeable> = []
  const waiting = new Set<() => void>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      arrivals.push(transport)
      for (const look of waiting) look()
    }),
    now
  )
  yield* Effect.addFinalizer(() => Effect.forEach(arrivals, ({ abort }) => abort))
  const next = Effect.callback<Closeable>((resume) => {
    const look = () => {
      const transport = arrivals.shift()
      if (transport === undefined) return
      waiting.delete(look)
      resume(Effect.succeed(transport))
    }
    waiting.add(look)
    look()
  })
  return { listener, next }
})

const serving = (port: MessagePort, options?: Endpoint.ListenOptions) =>
  Server.make(NodeHandoff.endpoint(port, options), echo, { drainTimeout: "10 millis" })

const threadOf = (script: string) =>
  Effect.acquireRelease(
    Effect.callback<Worker>((resume) => {
      const worker = new Worker(script, { eval: true })
      worker.once("online", () => resume(Effect.succeed(worker)))
    }),
    (worker) => Effect.promise(() => worker.terminate())
  )

/** A thread that is busy with something else, for ever. */
const busy = threadOf("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)")

describe("a connection under way", () => {
  live(
    "brings all that its peer has sent meanwhile, and the end of it",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const { address } = yield* giving(yield* NodeHandoff.distribute([here]))
      const { ended, socket } = yield* client(address)
      const all = "x".repeat(100_000)
      yield* Effect.callback<void>((resume) => {
        socket.end(all, () => resume(Effect.void))
      })
      yield* serving(there)
      assert.isTrue((yield* ended) === `${all}<end>`)
    })
  )

  live(
    "that its peer resets is lost as any, and harms no other",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const { address, server } = yield* giving(yield* NodeHandoff.distribute([here]))
      const one = yield* client(address)
      const other = yield* client(address)
      other.socket.end("still here")
      one.socket.resetAndDestroy()
      yield* Effect.callback<void>((resume) => {
        one.socket.once("close", () => resume(Effect.void))
      })
      const { next } = yield* accepting(NodeHandoff.endpoint(there))
      const [first, second] = [yield* next, yield* next]
      const error = yield* Effect.flip(first.receive)
      assert.strictEqual("reason" in error && error.reason._tag, "Reset")
      assert.include(String(error), "receive on the connection with")
      yield* first.close
      yield* echo(second)
      assert.strictEqual(yield* other.ended, "still here<end>")
      yield* server.stop
    })
  )

  live(
    "to a thread that ends is reset, and the next ones go to the others",
    Effect.gen(function* () {
      const thread = yield* busy
      const { here, there } = yield* channel
      yield* serving(there)
      const { address, reasons } = yield* giving(yield* NodeHandoff.distribute([thread, here]))
      const lost = yield* client(address)
      lost.socket.write("hello?")
      const kept = yield* client(address)
      kept.socket.end("hello")
      assert.strictEqual(yield* kept.ended, "hello<end>")
      yield* Effect.promise(() => thread.terminate())
      assert.strictEqual(yield* lost.ended, "<ECONNRESET>")
      for (let i = 0; i < 3; i++) {
        const { ended, socket } = yield* client(address)
        socket.end("again")
        assert.strictEqual(yield* ended, "again<end>")
      }
      assert.deepStrictEqual(reasons, [])
    })
  )

  live(
    "waits for a thread that is slow, up to pendingMax of them",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const { address, reasons } = yield* giving(yield* NodeHandoff.distribute([here], { pendingMax: 2 }))
      const clients = [yield* client(address), yield* client(address), yield* client(address)]
      assert.strictEqual(yield* clients[2]!.ended, "<end>")
      assert.deepStrictEqual(reasons, ["ResourceExhausted"])
      yield* serving(there)
      for (const { ended, socket } of clients.slice(0, 2)) {
        socket.end("at last")
        assert.strictEqual(yield* ended, "at last<end>")
      }
      // There is room again.
      const { ended, socket } = yield* client(address)
      socket.end("and I")
      assert.strictEqual(yield* ended, "and I<end>")
      assert.strictEqual(reasons.length, 1)
    })
  )

  live(
    "is counted by whoever gave it, where several share a port",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      yield* serving(there)
      const one = yield* NodeHandoff.distribute([here], { pendingMax: 1 })
      const other = yield* NodeHandoff.distribute([here], { pendingMax: 1 })
      const { address } = yield* giving(one)
      const first = yield* client(address)
      first.socket.end("one")
      assert.strictEqual(yield* first.ended, "one<end>")
      // Two at once by the other, of which one is too many.
      const both: Array<Closeable> = []
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(loopback)
      const exits = yield* Deferred.make<ReadonlyArray<Exit.Exit<void, TransportError>>>()
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => {
          both.push(transport)
          if (both.length === 2) {
            Deferred.doneUnsafe(
              exits,
              Effect.forEach(both, (each) => Effect.exit(other(each)))
            )
          }
        }),
        now
      )
      yield* client(inetOf(listener.address))
      yield* client(inetOf(listener.address))
      const went = (yield* Deferred.await(exits)).map(Exit.isSuccess)
      for (const each of both) yield* each.abort
      assert.deepStrictEqual(went, [true, false])
    })
  )
})

describe("the endpoint that receives", () => {
  live(
    "when it stops, resets what is under way and gets no more, until another one listens",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const give = yield* NodeHandoff.distribute([here])
      const first = yield* serving(there)
      let stops = false
      const { address, reasons } = yield* giving((transport) =>
        // Before the connection can have come out at the other end.
        Effect.tap(give(transport), () => (stops ? Effect.forkDetach(first.stop, now) : Effect.void))
      )
      const before = yield* client(address)
      before.socket.end("before")
      assert.strictEqual(yield* before.ended, "before<end>")

      stops = true
      const unattended = yield* Effect.forkChild(message(here, "spindle/Attended"), now)
      const late = yield* client(address)
      late.socket.write("too late")
      assert.strictEqual(yield* late.ended, "<ECONNRESET>")
      yield* Fiber.join(unattended)
      assert.deepStrictEqual(reasons, [])
      const after = yield* client(address)
      assert.strictEqual(yield* after.ended, "<end>")
      assert.deepStrictEqual(reasons, ["ResourceExhausted"])

      stops = false
      const attended = yield* Effect.forkChild(message(here, "spindle/Attended"), now)
      yield* serving(there)
      yield* Fiber.join(attended)
      const again = yield* client(address)
      again.socket.end("again")
      assert.strictEqual(yield* again.ended, "again<end>")
    })
  )

  live(
    "drops what was sent to it without asking, after it has stopped",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const { address } = yield* giving((transport) => NodeHandoff.connection(transport, here))
      yield* (yield* serving(there)).stop
      const { ended, socket } = yield* client(address)
      socket.write("anybody?")
      assert.strictEqual(yield* ended, "<ECONNRESET>")
      // A port, too.
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(loopback)
      yield* NodeHandoff.listener(listener, here)
      yield* message(there, "spindle/Listener")
      const refused = yield* Effect.callback<string>((resume) => {
        const socket = net.connect(inetOf(listener.address))
        socket.on("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed(String(code))))
        socket.on("close", () => resume(Effect.succeed("closed")))
      })
      assert.strictEqual(refused, "ECONNREFUSED")
    })
  )

  live(
    "is one at a time on a port",
    Effect.gen(function* () {
      const { there } = yield* channel
      const first = yield* serving(there)
      const error = yield* Effect.flip(serving(there))
      assert.strictEqual(error.reason._tag, "AlreadyListened")
      yield* first.stop
      yield* (yield* serving(there)).stop
    })
  )

  live(
    "does not hold its thread once it has stopped",
    Effect.gen(function* () {
      const { there } = yield* channel
      const server = yield* serving(there)
      assert.isTrue(there.hasRef())
      yield* server.stop
      assert.isFalse(there.hasRef())
      const again = yield* serving(there)
      assert.isTrue(there.hasRef())
      // Somebody else's messages hold it as before.
      there.on("message", () => {})
      yield* again.stop
      assert.isTrue(there.hasRef())
    })
  )

  live(
    "gives connections the options that it was asked for",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const { address } = yield* giving(yield* NodeHandoff.distribute([here]))
      const told: Array<unknown> = []
      there.on("message", ({ socket }: { readonly socket: net.Socket }) => {
        socket.setNoDelay = (on) => {
          told.push(["noDelay", on])
          return socket
        }
        socket.setKeepAlive = ((...args: ReadonlyArray<unknown>) => {
          told.push(["keepAlive", ...args])
          return socket
        }) as net.Socket["setKeepAlive"]
      })
      yield* serving(there, {
        noDelay: false,
        keepAlive: "30 seconds",
        keepAliveInterval: "7 seconds",
        keepAliveCount: 3
      })
      const { ended, socket } = yield* client(address)
      socket.end("x")
      assert.strictEqual(yield* ended, "x<end>")
      assert.deepStrictEqual(told, [
        ["noDelay", false],
        ["keepAlive", true, 30_000, 7_000, 3]
      ])
      const invalid = yield* Effect.flip(serving((yield* channel).there, { keepAliveCount: 0.5 }))
      assert.strictEqual(invalid.reason._tag, "InvalidAddress")
    })
  )

  live(
    "an adopted port that cannot accept is told, and goes on",
    Effect.gen(function* () {
      const { here, there } = yield* channel
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(loopback)
      const lines: Array<string> = []
      yield* serving(there).pipe(logged(lines))
      const handed = yield* Effect.forkChild(
        message<{ readonly server: net.Server }>(there, "spindle/Listener"),
        now
      )
      yield* NodeHandoff.listener(listener, here)
      const { server } = yield* Fiber.join(handed)
      lines.length = 0
      server.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }))
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^Warn cannot accept connections \(1 failed\): accept EMFILE .*handoff/)
      const { ended, socket } = yield* client(inetOf(listener.address))
      socket.end("goes on")
      assert.strictEqual(yield* ended, "goes on<end>")
    })
  )
})

describe("what cannot go", () => {
  /** The reason why the first connection to `endpoint` cannot be handed over; then it is echoed. */
  const refusal = Effect.fnUntraced(function* (
    endpoint: Endpoint.Server,
    connect: (server: Server.Server) => net.NetConnectOpts,
    before: (transport: Transport) => Effect.Effect<unknown, unknown> = () => Effect.void
  ) {
    const { here } = yield* channel
    const reasons: Array<string> = []
    const server = yield* Server.make(endpoint, (transport) =>
      Effect.gen(function* () {
        yield* before(transport)
        const { reason } = yield* Effect.flip(NodeHandoff.connection(transport, here))
        reasons.push(`${reason._tag}: ${reason.message}`)
        yield* Effect.exit(echo(transport))
      })
    )
    const { ended, socket } = yield* client(connect(server))
    socket.end("echo")
    return { came: yield* ended, reason: reasons[0] ?? "none" }
  })

  const inet = (server: Server.Server) => inetOf(server.address)

  live(
    "a UNIX socket, and one that we have ended, stay and go on",
    Effect.gen(function* () {
      const path = yield* socketPath
      const unix = yield* refusal(Endpoint.unix({ path }), () => ({ path }))
      assert.deepStrictEqual(unix.came, "echo<end>")
      assert.match(unix.reason, /^Unsupported: the connection cannot be handed/)

      const ended = yield* refusal(loopback, inet, (transport) => transport.end)
      assert.match(ended.reason, /its sending side has ended/)
      assert.strictEqual(ended.came, "<end>")
    })
  )

  live(
    "a connection in the middle of a handshake",
    Effect.gen(function* () {
      const { came, reason } = yield* refusal(loopback, inet, (transport) =>
        Effect.andThen(
          Effect.forkChild(transport.startTls({ role: "server", tls: { identity } }), now),
          Effect.void
        )
      )
      assert.match(reason, /went on under TLS/)
      assert.match(came, /^<(end|ECONNRESET)>$/)
    })
  )

  live(
    "a port of TLS, which would be a plain one there",
    Effect.gen(function* () {
      const { here } = yield* channel
      const reactor = yield* Reactor
      const tls = { identity }
      const listener = yield* reactor.listen(Endpoint.tls({ port: 0, interface: "127.0.0.1", tls }))
      const error = yield* Effect.flip(NodeHandoff.listener(listener, here))
      assert.match(error.message, /its connections are TLS, and would be plain there/)
      assert.strictEqual(error.reason._tag, "Unsupported")
    })
  )

  live(
    "anything to a thread that has ended: it stays, and goes on",
    Effect.gen(function* () {
      const thread = yield* threadOf("")
      yield* Effect.promise(() => thread.terminate())
      const reactor = yield* Reactor
      const { listener, next } = yield* accepting(loopback)
      const moved = yield* Effect.flip(NodeHandoff.listener(listener, thread))
      assert.match(moved.message, /the thread has ended/)
      const { ended, socket } = yield* client(inetOf(listener.address))
      const transport = yield* next
      const refused = yield* Effect.flip(NodeHandoff.connection(transport, thread))
      assert.deepStrictEqual(
        [refused.reason._tag, refused.reason.errno],
        ["Unsupported", "ERR_WORKER_NOT_RUNNING"]
      )
      socket.end("still here")
      yield* echo(transport)
      assert.strictEqual(yield* ended, "still here<end>")
      // One that nobody has told us of.
      const { here, there } = yield* channel
      yield* serving(there)
      const { address, reasons } = yield* giving(yield* NodeHandoff.distribute([thread, here]))
      for (let i = 0; i < 3; i++) {
        const { ended, socket } = yield* client(address)
        socket.end("here")
        assert.strictEqual(yield* ended, "here<end>")
      }
      assert.deepStrictEqual(reasons, [])
      assert.isDefined(reactor)
    })
  )
})
