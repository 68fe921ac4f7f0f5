/** What the tests of the memory network share. */
import { assert } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Listener } from "../../src/reactor/Listener.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"

export type Service = Reactor["Service"]

/** A network and a reactor on one of its hosts. */
export const world = Effect.fnUntraced(function* (options?: MemoryNetwork.Options) {
  const network = yield* MemoryNetwork.make(options)
  return { network, reactor: yield* MemoryReactor.makeOn(network) }
})

export const portOf = (address: NetAddress.SocketAddress): number =>
  NetAddress.isInetAddress(address) ? address.port : assert.fail("no port")

/** The accepted connections, in their order; each is closed with the scope. */
export const accepting = Effect.fnUntraced(function* (listener: Listener) {
  const scope = yield* Effect.scope
  const queue = yield* Queue.unbounded<Closeable>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => Queue.offerUnsafe(queue, transport)),
    { startImmediately: true }
  )
  return Effect.tap(Queue.take(queue), (transport) => Scope.addFinalizer(scope, transport.close))
})

export interface PairOptions {
  readonly server?: Endpoint.StreamOptions | undefined
  readonly client?: Endpoint.StreamOptions | undefined
  /** The client's reactor, where it is another one. */
  readonly from?: Service | undefined
  readonly host?: string | undefined
}

/** A connection over TCP, the listener gone. `closeClient` and `closeServer` close one side. */
export const pairOn = Effect.fnUntraced(function* (reactor: Service, options: PairOptions = {}) {
  const { from = reactor, host = "127.0.0.1" } = options
  const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, ...options.server }))
  const accepted = yield* accepting(listener)
  const scope = yield* Scope.fork(yield* Effect.scope)
  const client = yield* from
    .connect(Endpoint.tcpClient({ host, port: portOf(listener.address), ...options.client }))
    .pipe(Scope.provide(scope))
  const server = yield* accepted
  yield* listener.stop
  return { client, server, closeClient: Scope.close(scope, Exit.void), closeServer: server.close }
})

/** Everything until the end of input, as text. */
export const readAll = (transport: Transport): Effect.Effect<string, unknown> =>
  Effect.gen(function* () {
    const decoder = new TextDecoder()
    let all = ""
    yield* transport.receiveEach((bytes) =>
      Effect.sync(() => {
        all += decoder.decode(bytes, { stream: true })
      })
    )
    return all
  })

/** The next piece, as text; `"<end>"` at the end of input. */
export const read = (transport: Transport) =>
  transport.receive.pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes)),
    Pull.catchDone(() => Effect.succeed("<end>"))
  )

/** The tag of the reason that an operation failed with; `"<end>"` where input just ended. */
export const reasonOf = <A, R>(
  effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } } | Cause.Done, R>
): Effect.Effect<string, A, R> =>
  Effect.map(Effect.flip(effect), (error) => ("reason" in error ? error.reason._tag : "<end>"))

/** Nothing of a network is left. */
export const nothing: MemoryNetwork.Statistics = {
  listeners: 0,
  connections: 0,
  datagramPorts: 0,
  ports: [],
  events: 0
}
