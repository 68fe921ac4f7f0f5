/** What the tests of descriptions share: text that is opened, on real sockets, and what comes of it. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import type * as net from "node:net"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import type { NodeTransport } from "../../src/node/NodeTransport.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Listener } from "../../src/reactor/Listener.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { scopedParallel } from "../../src/testing/suite/Case.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { whichAll } from "../support/peers.ts"

export type Needs = Reactor | Scope.Scope | FileSystem.FileSystem

export const layer = Layer.merge(NodeReactor.layer, NodeFileSystem.layer)

type Test = Effect.Effect<void, unknown, Needs>

const run = (test: Test) => () =>
  test.pipe(
    // Closing one side may wait for the other one.
    scopedParallel,
    Effect.provide(layer),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

const runIf = (holds: boolean) => (name: string, test: Test) => it.live.runIf(holds)(name, run(test))

export const live = Object.assign(runIf(true), {
  when: (holds: boolean, name: string, test: Test) => runIf(holds)(name, test),
  skipWithoutOpenssl: runIf(certificates.available)
})

/** Listens, and accepts nothing yet. */
export const open = (text: string) =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    return yield* reactor.listen(yield* EndpointDescription.parseServer(text))
  })

/** Takes what comes; `next` is the next connection, and `accepted` are all of them, aborted with the scope at the latest. */
export const accept = Effect.fnUntraced(function* (listener: Listener) {
  const accepted: Array<Closeable> = []
  const queue = yield* Queue.unbounded<Closeable>()
  yield* Effect.addFinalizer(() => Effect.forEach(accepted, ({ abort }) => abort))
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      accepted.push(transport)
      Queue.offerUnsafe(queue, transport)
    }),
    { startImmediately: true }
  )
  return { listener, accepted, next: Queue.take(queue) }
})

/** Listens, and takes what comes. */
export const listen = (text: string) => Effect.flatMap(open(text), accept)

export const portOf = ({ address }: { readonly address: NetAddress.SocketAddress }): number =>
  inetOf(address).port

export const dial = (text: string) =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    return yield* reactor.connect(yield* EndpointDescription.parseClient(text))
  })

/** Both ends of a connection: `${port}` in the client's text is the server's. */
export const connected = Effect.fnUntraced(function* (server: string, client: string) {
  const { listener, next } = yield* listen(server)
  const port = client.includes("$PORT") ? String(portOf(listener)) : ""
  const ours = yield* dial(client.replace("$PORT", port))
  return { listener, ours, theirs: yield* next }
})

/** What is said arrives at the other end, both ways. */
export const talks = Effect.fnUntraced(function* (one: Transport, other: Transport) {
  yield* one.send("ping")
  assert.strictEqual(String(Buffer.from(yield* other.receive)), "ping")
  yield* other.send("pong")
  assert.strictEqual(String(Buffer.from(yield* one.receive)), "pong")
})

/** The tag of the reason that it fails with, or `success`. */
export const outcome = <
  A,
  E extends { readonly reason: { readonly _tag: string } } | { readonly _tag: string },
  R
>(
  effect: Effect.Effect<A, E, R>
) =>
  Effect.map(Effect.result(effect), (result) =>
    result._tag === "Success"
      ? "success"
      : "reason" in result.failure
        ? result.failure.reason._tag
        : result.failure._tag
  )

/** The socket that a connection is, for what only the system knows of it. */
export const socketOf = (transport: Transport): net.Socket => (transport as NodeTransport).carrier

/** A directory of its own; `file` writes one, and gives its path. */
export const workshop = Effect.map(socketPath, (socket) => {
  const directory = path.dirname(socket)
  const file = (name: string, text: string): string => {
    const place = path.join(directory, name)
    fs.writeFileSync(place, text, { mode: 0o600 })
    return place
  }
  return { directory, file }
})

/** A scope that ends before the test does. */
export const inner = Effect.gen(function* () {
  const scope = yield* Scope.fork(yield* Effect.scope)
  return { scope, close: Scope.close(scope, Exit.void) }
})

export const securityOf = ({ security }: Transport) =>
  security._tag === "Tls" ? security : assert.fail("the connection is plain")

// --- options that only the system, or much data, can tell ----------------------------------------------------

/** Stream options that are nobody's default: to be appended to a description. */
export const streamOptions =
  "noDelay=no:keepAlive=30:keepAliveInterval=7:keepAliveCount=3:" +
  "receiveBytesMax=67108864:sendBytesMax=67108864:closeTimeout=0.05"

/** What `probe` says of a TCP connection with them. */
export const streamOptionsAnswer = "0 1 30 7 3"

/** More than the system holds, and less than the options allow. */
export const muchBytes = 40 * 1024 * 1024

const question = `
import socket
s = socket.socket(fileno=3)
of = lambda option: s.getsockopt(socket.IPPROTO_TCP, option)
print(of(socket.TCP_NODELAY), s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), of(socket.TCP_KEEPIDLE), of(socket.TCP_KEEPINTVL), of(socket.TCP_KEEPCNT))
`

/** A Python, which can ask the system what Node cannot; `undefined` where there is none. */
export const python = whichAll("python3")[0]

/** TCP_NODELAY, SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, as the system has them. */
export const probe = (socket: net.Socket) =>
  Effect.sync(() => {
    // By its number: Node stops reading a socket that it hands on. None of the first three: those become blocking ones.
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
    const stdio = ["ignore", "pipe", "inherit", fd] as const
    return childProcess
      .execFileSync(python!, ["-c", question], { stdio: [...stdio] })
      .toString()
      .trim()
  })
