/**
 * A program whose connection is its standard input and output; the first argument says what it does. It tells the test on
 * standard error, and never touches `process.stdin` and `process.stdout`.
 */
import * as fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { receiveAllText } from "./sockets.ts"

const tell = (line: string) => Effect.sync(() => void fs.writeSync(2, `${line}\n`))

/** The reason of a failure, or how else it went. */
const outcome = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "success"
    const error = Cause.squash(exit.cause) as { readonly reason?: { readonly _tag: string } }
    return error.reason?._tag ?? String(error)
  })

const accepted = Effect.fnUntraced(function* (server: Endpoint.Server = Endpoint.stdio()) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(server)
  const made = yield* Deferred.make<Closeable>()
  const accepting = yield* Effect.forkScoped(
    listener.acceptEach((transport) => Deferred.doneUnsafe(made, Effect.succeed(transport)))
  )
  const transport = yield* Effect.acquireRelease(Deferred.await(made), (transport) => transport.close)
  return { listener, transport, accepting }
})

const placeOf = (fd: number) => fs.readlinkSync(`/proc/self/fd/${fd}`)

const programs: Record<string, Effect.Effect<void, unknown, Reactor | Scope.Scope>> = {
  /** A server that sends all back. */
  echo: Effect.gen(function* () {
    const { transport } = yield* accepted()
    yield* transport.receiveEach(transport.send)
    yield* transport.end
  }),

  /** A client that answers when its input has ended. */
  count: Effect.gen(function* () {
    const reactor = yield* Reactor
    const transport = yield* reactor.connect(Endpoint.stdioClient())
    const text = yield* receiveAllText(transport)
    yield* transport.send(`${text.length} came`)
  }),

  /** Ends its output, and goes on reading. */
  end: Effect.gen(function* () {
    const { transport } = yield* accepted()
    yield* transport.send("that is all")
    yield* transport.end
    yield* tell("ended")
    yield* tell(`after the end: ${yield* receiveAllText(transport)}`)
    yield* transport.closed
    yield* tell("over")
  }),

  /** Sends until somebody stops it. */
  flood: Effect.gen(function* () {
    const { transport } = yield* accepted()
    const line = "flood\n".repeat(1_000)
    yield* tell(yield* outcome(Effect.forever(transport.send(line))))
  }),

  /** Sends much, closes at once, and lives on. */
  close: Effect.gen(function* () {
    const { transport } = yield* accepted()
    yield* Effect.forkChild(Effect.exit(transport.send("x".repeat(1024 * 1024))), { startImmediately: true })
    yield* transport.close
    yield* tell("closed")
    fs.writeSync(1, "a stray print")
    const opened = fs.openSync(import.meta.filename, "r")
    yield* tell([placeOf(0), placeOf(1), opened > 2].join(" "))
    fs.closeSync(opened)
  }),

  abort: Effect.gen(function* () {
    const { transport } = yield* accepted()
    yield* transport.send("never mind")
    yield* transport.receive
    yield* transport.abort
    yield* tell(yield* outcome(transport.closed))
    // It is gone while the process lives.
    return yield* Effect.never
  }),

  /** One connection, and no second listener or client. */
  once: Effect.gen(function* () {
    const reactor = yield* Reactor
    const { accepting, listener } = yield* accepted()
    yield* tell(yield* outcome(Effect.scoped(reactor.listen(Endpoint.stdio()))))
    yield* tell(yield* outcome(Effect.scoped(reactor.connect(Endpoint.stdioClient()))))
    yield* tell(accepting.pollUnsafe() === undefined ? "still open" : "stopped by itself")
    yield* listener.stop
    yield* tell(yield* outcome(listener.acceptEach(() => {})))
    yield* tell(yield* outcome(Effect.scoped(reactor.listen(Endpoint.stdio()))))
  }),

  /** What it is connected to. */
  who: Effect.gen(function* () {
    const { transport } = yield* accepted()
    yield* tell(`peer ${NetAddress.formatSocketAddress(transport.peer)}`)
    yield* transport.send("you are known")
    yield* transport.receiveEach(() => Effect.void)
  }),

  /** TLS on it: the certificate comes by the environment. */
  tls: Effect.gen(function* () {
    const identity = { certificate: process.env["CERTIFICATE"]!, privateKey: process.env["PRIVATE_KEY"]! }
    const { transport } = yield* accepted(Endpoint.secured({ inner: Endpoint.stdio(), tls: { identity } }))
    yield* transport.receiveEach(transport.send)
  }),

  refused: Effect.gen(function* () {
    const reactor = yield* Reactor
    const error = yield* Effect.flip(reactor.listen(Endpoint.stdio()))
    yield* tell(error.message)
  })
}

const program = programs[process.argv[2] ?? ""]
if (program === undefined) throw new Error(`what is ${process.argv[2]}?`)

// The fiber alone keeps no process alive.
const alive = setInterval(() => {}, 1_000)
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))
clearInterval(alive)
