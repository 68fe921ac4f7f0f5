/** Tests that leave something behind, each another thing: `leakySetup.test.ts` runs them in a Vitest of its own. */
/* oxlint-disable vitest/expect-expect -- what they leave is the point */
import * as childProcess from "node:child_process"
import * as dgram from "node:dgram"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Worker } from "node:worker_threads"
import { afterAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { Endpoint, Reactor, UnhandledFailure } from "spindle/reactor"
import { NodeReactor } from "spindle/node"
import { LeakCheck, LoggedFailures } from "spindle/testing"

const undo: Array<() => unknown> = []
afterAll(() => undo.forEach((end) => end()))

/** The line that a test is to be told. */
const file = path.join(import.meta.dirname, "a file")
fs.writeFileSync(file, "")

describe("tidy", () => {
  it.effect("an effect", () => Effect.void)
  it.effect("a fiber that ends", () => Effect.forkChild(Effect.never))
  it("a timer that is cleared", () => clearTimeout(setTimeout(() => {}, 60_000)))
  it.live("a server and a connection", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor.Reactor
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
      const port = "port" in listener.address ? listener.address.port : 0
      yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
  it.effect("a failure that is flushed", () =>
    Effect.andThen(Effect.logError("oh", Cause.fail("meant")), LoggedFailures.flushLoggedFailures())
  )
  it.effect("abandoned on purpose", () => LeakCheck.abandoned(Effect.forkDetach(Effect.never)))
})

describe("leaves", () => {
  it.effect("a fiber", () =>
    Effect.gen(function* () {
      yield* Effect.forkDetach(Effect.never) // place: fiber
    })
  )
  it.effect("a fiber that waits", () =>
    Effect.gen(function* () {
      const waiting = Effect.gen(function* () {
        yield* Effect.yieldNow
        return yield* Effect.never // place: waits
      })
      yield* Effect.forkDetach(waiting) // place: waiting
    })
  )
  it("a fiber of its own", () => {
    Effect.runFork(Effect.never) // place: runFork
  })
  it.effect("a scope", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Effect.void).pipe(Scope.provide(scope)) // place: scope
    })
  )
  it("a timer", () => {
    const timer = setTimeout(() => {}, 60_000) // place: timer
    undo.push(() => clearTimeout(timer))
  })
  it("an interval", () => {
    const timer = setInterval(() => {}, 60_000) // place: interval
    undo.push(() => clearInterval(timer))
  })
  it("a server", () => {
    const server = net.createServer().listen(0, "127.0.0.1") // place: server
    undo.push(() => server.close())
  })
  it("a connection", async () => {
    const server = net.createServer().listen(0, "127.0.0.1") // place: accepted
    await new Promise<void>((resolve) => server.once("listening", resolve))
    const socket = net.connect((server.address() as net.AddressInfo).port) // place: socket
    await new Promise<void>((resolve) => socket.once("connect", resolve))
    server.close()
    undo.push(() => socket.destroy())
  })
  it("a socket that would not keep a process alive", () => {
    const socket = dgram.createSocket("udp4").bind(0, "127.0.0.1") // place: unref
    socket.unref()
    undo.push(() => socket.close())
  })
  it.live("a server of the library's", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor.Reactor
      const scope = yield* Scope.make()
      const listen = reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
      yield* Scope.provide(listen, scope) // place: listener
      undo.push(() => Effect.runPromise(Scope.close(scope, Effect.runSync(Effect.exit(Effect.void)))))
    }).pipe(Effect.provide(NodeReactor.layer))
  )
  it("a child process", () => {
    const child = childProcess.spawn("sleep", ["60"], { stdio: "ignore" }) // place: child
    undo.push(() => child.kill())
  })
  it("a worker", () => {
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true }) // place: worker
    undo.push(() => worker.terminate())
  })
  it("a file, opened at once", () => {
    const descriptor = fs.openSync(file, "r") // place: openSync
    undo.push(() => fs.closeSync(descriptor))
  })
  it("a file, opened by callback", async () => {
    const descriptor = await new Promise<number>(
      (resolve) => fs.open(file, "r", (_, opened) => resolve(opened)) // place: open
    )
    undo.push(() => fs.closeSync(descriptor))
  })
  it("a file, opened by promise", async () => {
    const handle = await fs.promises.open(file) // place: openPromise
    undo.push(() => handle.close())
  })
  it("a watched file", () => {
    const watcher = fs.watch(file) // place: watch
    undo.push(() => watcher.close())
  })
  it.effect("a logged failure", () => Effect.logError("oh", Cause.fail("nobody meant this")))
  it.effect("a failure in the background", () =>
    Effect.scoped(UnhandledFailure.fork(Effect.fail("in the background"), { place: "the background" }))
  )
})

describe.concurrent("at the same time", () => {
  it("one waits", () => new Promise<void>((resolve) => setTimeout(resolve, 200)))
  it("another leaves a timer", async () => {
    await new Promise<void>((resolve) => setTimeout(resolve, 50))
    const timer = setInterval(() => {}, 60_000) // place: concurrent
    undo.push(() => clearInterval(timer))
  })
  it("and one waits, too", () => new Promise<void>((resolve) => setTimeout(resolve, 200)))
})
