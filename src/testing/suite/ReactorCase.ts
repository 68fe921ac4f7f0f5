import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import type { Listener } from "../../reactor/Listener.ts"
import { Reactor } from "../../reactor/Reactor.ts"
import type { ConnectError } from "../../reactor/ReactorError.ts"
import type * as Tls from "../../reactor/Tls.ts"
import type { Closeable, Transport } from "../../reactor/Transport.ts"
import type { Resources } from "./Case.ts"
import type { MakePair, Pair } from "./PairCase.ts"

/** A reactor with one kind of endpoint. What is left out is skipped. */
export interface ReactorSubject {
  readonly name: string
  readonly layer: Layer.Layer<Reactor, unknown>
  /** An endpoint where nobody listens yet; port 0, or a fresh file. */
  readonly server: (options?: Endpoint.ListenOptions) => Effect.Effect<Endpoint.Server, unknown, Scope.Scope>
  /** The endpoint that listens exactly at `address`. */
  readonly serverAt: (address: NetAddress.SocketAddress) => Endpoint.Server
  /** The endpoint that reaches what listens at `address`. */
  readonly client: (address: NetAddress.SocketAddress, options?: Endpoint.ConnectOptions) => Endpoint.Client
  /** Where nobody listens. Default: where somebody just stopped listening. */
  readonly refused?: Effect.Effect<Endpoint.Client, unknown, Reactor | Scope.Scope> | undefined
  /** Where a connection is neither made nor refused. */
  readonly unanswered?:
    | ((options?: Endpoint.ConnectOptions) => Effect.Effect<Endpoint.Client, unknown, Reactor | Scope.Scope>)
    | undefined
  /** Set for endpoints of a host and a port: the one that reaches a port of a named host. */
  readonly named?:
    | ((host: string, port: number, options?: Endpoint.ConnectOptions) => Endpoint.Client)
    | undefined
  /** Set for endpoints of a host and a port: listens on a port of an interface. */
  readonly onPort?: ((host: string, port: number) => Endpoint.Server) | undefined
  /** Set when `startTls` works: options of two sides that trust each other, both offering ALPN `echo`. */
  readonly tls?: TlsMaterial | undefined
  readonly resources?: Resources | undefined
}

export interface TlsMaterial {
  readonly server: Tls.ServerOptions
  readonly client: Tls.ClientOptions
  /** It only stands in for TLS: no certificate is read, and none is verified. Default `false`. */
  readonly standIn?: boolean | undefined
}

export type Need = "unanswered" | "named" | "onPort" | "tls" | "certificates"

const has = (subject: ReactorSubject, need: Need): boolean =>
  need === "certificates"
    ? subject.tls !== undefined && subject.tls.standIn !== true
    : subject[need] !== undefined

/** What `subject` lacks for a case. */
export const missing = (subject: ReactorSubject, { needs }: ReactorCase): ReadonlyArray<Need> =>
  needs.filter((need) => !has(subject, need))

/** A check of a reactor. */
export interface ReactorCase {
  readonly name: string
  readonly needs: ReadonlyArray<Need>
  readonly run: (subject: ReactorSubject) => Effect.Effect<void, unknown, Reactor | Scope.Scope>
}

export const reactorCase = (
  name: string,
  run: ReactorCase["run"],
  ...needs: ReadonlyArray<Need>
): ReactorCase => ({ name, run, needs })

/** The accepting side of a listener: its connections, in the order they came. */
export interface Accepting {
  readonly accepted: Effect.Effect<Closeable>
}

/** Accepts all connections; the scope's end closes them. */
export const accepting = Effect.fnUntraced(function* (
  listener: Listener
): Effect.fn.Return<Accepting, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const queue = yield* Queue.unbounded<Closeable>()
  let waiting = 0
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      waiting++
      Queue.offerUnsafe(queue, transport)
    }),
    { startImmediately: true }
  )
  const take = Effect.map(Queue.take(queue), (transport) => {
    waiting--
    return transport
  })
  // What nobody asked for is owed a close, too.
  const closeWaiting = Effect.suspend(() =>
    Effect.forEach(
      Array.from({ length: waiting }),
      () => Effect.flatMap(take, (transport) => transport.close),
      { concurrency: "unbounded", discard: true }
    )
  )
  yield* Scope.addFinalizer(scope, closeWaiting)
  return { accepted: Effect.tap(take, (transport) => Scope.addFinalizer(scope, transport.close)) }
})

/** Runs `serve` for each connection, then closes it; tells how many came, and how many are still open. */
export const serving = Effect.fnUntraced(function* (
  listener: Listener,
  serve: (transport: Transport) => Effect.Effect<unknown, unknown>
) {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const count = { accepted: 0, open: 0 }
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      count.accepted++
      count.open++
      const closed = Effect.sync(() => {
        count.open--
      })
      run(Effect.exit(serve(transport)).pipe(Effect.andThen(transport.close), Effect.ensuring(closed)))
    }),
    { startImmediately: true }
  )
  return count
})

/** Connects, and gives the transport with the close of its scope. */
export const connecting: (
  endpoint: Endpoint.Client
) => Effect.Effect<
  { readonly transport: Transport; readonly close: Effect.Effect<void> },
  ConnectError,
  Reactor | Scope.Scope
> = Effect.fnUntraced(function* (endpoint: Endpoint.Client) {
  const reactor = yield* Reactor
  const scope = yield* Scope.fork(yield* Effect.scope)
  const transport = yield* Scope.provide(reactor.connect(endpoint), scope)
  return { transport, close: Scope.close(scope, Exit.void) }
})

/** A connection over a listener of its own: the left side connected, the right one was accepted. */
export const connectedPair = Effect.fnUntraced(function* (
  subject: ReactorSubject,
  options?: Endpoint.StreamOptions
): Effect.fn.Return<Pair, unknown, Reactor | Scope.Scope> {
  const reactor = yield* Reactor
  // Closing may wait for the other side: both close at once.
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  return yield* Effect.gen(function* () {
    const listener = yield* reactor.listen(yield* subject.server(options))
    const { accepted } = yield* accepting(listener)
    const left = yield* connecting(subject.client(listener.address, options))
    const right = yield* accepted
    yield* listener.stop
    return { left: left.transport, right, closeLeft: left.close, closeRight: right.close }
  }).pipe(Scope.provide(scope))
})

/** Pairs of a reactor of their own, for the suite of transports. */
export const pairOver =
  (subject: ReactorSubject): MakePair =>
  (options) =>
    Effect.flatMap(Layer.build(subject.layer), (context) =>
      Effect.provideContext(connectedPair(subject, options), context)
    )
