/** The sockets of workers, as the process above them keeps them: where the system shares ports, and where it does not. */
import { syncBuiltinESMExports } from "node:module"
import * as dgram from "node:dgram"
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NativeHandle } from "../../src/node/nativeHandle.ts"
import * as NodeBinding from "../../src/node/NodeBinding.ts"
import type { NodeListenerKeeper, Sharing } from "../../src/node/NodeListenerKeeper.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"

/** Whether the system shares ports: libuv says that it does not by this. */
let isShared = true
const unsupported = -95

type Create = (address: string, port: number, type: number, fd: undefined, flags?: number) => unknown
const internals = net as unknown as { default: { _createServerHandle: Create } }
const create = internals.default._createServerHandle
internals.default._createServerHandle = (address, port, type, fd, flags = 0) =>
  (flags & 2) !== 0 && !isShared ? unsupported : create(address, port, type, fd, flags)
const createSocket = dgram.createSocket
;(dgram as unknown as { default: { createSocket: unknown } }).default.createSocket = (
  options: dgram.SocketOptions
) => {
  if (options.reusePort !== true || isShared) return createSocket(options)
  const socket = createSocket({ ...options, reusePort: false })
  socket.bind = () => {
    queueMicrotask(() =>
      socket.emit("error", Object.assign(new Error("bind ENOTSUP"), { code: "ENOTSUP", syscall: "bind" }))
    )
    return socket
  }
  return socket
}
syncBuiltinESMExports()
const { NodeListenerKeeper: Keeper } = await import("../../src/node/NodeListenerKeeper.ts")

const kept = (sharing: Sharing): Effect.Effect<NodeListenerKeeper, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Keeper(undefined, 2, sharing)),
    ({ close }) => close
  )

const portOf = (handle: NativeHandle): number => {
  const out: { port?: number } = {}
  handle.getsockname!(out)
  return out.port!
}

const take = (keeper: NodeListenerKeeper, binding: NodeBinding.Binding, slot: number) =>
  Effect.map(keeper.take("k", binding, slot), ({ handle }) => handle)

const bindings = [
  Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
  Endpoint.udp({ port: 0, interface: "127.0.0.1" })
].map(NodeBinding.of)

const shared = (port: number) => Endpoint.tcp({ port, interface: "127.0.0.1", reusePort: true })

const live = (name: string, isSharedThere: boolean, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live.skipIf(process.platform !== "linux")(name, () => {
    isShared = isSharedThere
    return Effect.scoped(test)
  })

describe("kept sockets", () => {
  for (const binding of bindings) {
    live(
      `${binding._tag}: each worker has its own at the same port`,
      true,
      Effect.gen(function* () {
        const keeper = yield* kept("auto")
        const [one, two] = [yield* take(keeper, binding, 0), yield* take(keeper, binding, 1)]
        assert.notStrictEqual(one, two)
        assert.strictEqual(portOf(one), portOf(two))
        assert.strictEqual(yield* take(keeper, binding, 1), two)
        assert.strictEqual(keeper.listeners.find("k @1")?.handle(), two)
        // What has no slots gets the first one's.
        assert.strictEqual(keeper.listeners.find("k")?.handle(), one)
      })
    )

    live(
      `${binding._tag}: all have the same where the system shares no ports`,
      false,
      Effect.gen(function* () {
        const keeper = yield* kept("auto")
        const handles = yield* Effect.all(
          [0, 1, 2].map((slot) => take(keeper, binding, slot)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(handles).size, 1)
        assert.isAbove(portOf(handles[0]!), 0)
        assert.strictEqual(keeper.listeners.sockets.length, 1)
      })
    )
  }

  live(
    "a port that is to be shared with other programs is",
    true,
    Effect.gen(function* () {
      const other = yield* kept("one")
      const first = yield* take(other, NodeBinding.of(shared(0)), 0)
      const binding = NodeBinding.of(shared(portOf(first)))
      for (const sharing of ["auto", "one"] as const) {
        assert.strictEqual(portOf(yield* take(yield* kept(sharing), binding, 0)), portOf(first))
      }
    })
  )

  live(
    "a port that somebody else has is in use, by whichever way",
    true,
    Effect.gen(function* () {
      const other = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer()
          server.listen({ port: 0, host: "127.0.0.1" }, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = other.address() as net.AddressInfo
      const binding = NodeBinding.of(Endpoint.tcp({ port, interface: "127.0.0.1" }))
      for (const sharing of ["auto", "one"] as const) {
        const keeper = yield* kept(sharing)
        const refusal = yield* Effect.flip(take(keeper, binding, 0))
        assert.strictEqual(refusal._tag, "AddressInUse")
      }
    })
  )
})
