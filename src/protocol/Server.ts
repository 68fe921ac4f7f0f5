/**
 * A server: a protocol on an endpoint. It owns its connections: a scope and a fiber each, a span and log
 * annotations where somebody listens, counted, drained in order when it stops.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as PubSub from "effect/PubSub"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Tracer from "effect/Tracer"
import { isFaulty } from "../reactor/Blame.ts"
import * as Closing from "../reactor/Closing.ts"
import { DenseSet } from "../reactor/DenseSet.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type * as Transport from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import * as Receiving from "../reactor/Receiving.ts"
import { Connection, type ConnectionHost, type Counts, noCounts } from "./Connections.ts"
import * as Protocol from "./Protocol.ts"
import * as ServerMetrics from "./ServerMetrics.ts"

export interface Options {
  /** Its name in logs, metrics and spans. Default: the endpoint's description. */
  readonly name?: string | undefined
  /** More connections than this are closed at once, and counted. Default: no limit but the system's. */
  readonly connectionsMax?: number | undefined
  /** How long connections may take to end by themselves once the server stops. Default 5 seconds. */
  readonly drainTimeout?: Duration.Input | undefined
  /** How long interrupted connections may take to clean up and flush before they are reset. Default 1 second. */
  readonly interruptTimeout?: Duration.Input | undefined
}

export interface Server {
  readonly name: string
  /** Where it listens: the real port when 0 was asked for. */
  readonly address: NetAddress.SocketAddress
  /** Told at most once per turn of the event loop. */
  readonly counts: SubscriptionRef.SubscriptionRef<Counts>
  /**
   * Stops accepting, tells the protocols (`Protocol.stopping`), waits up to `drainTimeout`, for handshakes under way
   * and for connections, interrupts what is left, and resets what does not go by `interruptTimeout`. Returns when
   * nothing is left. Idempotent; whoever no longer waits for it does not end it. The end of the server's scope does
   * the same.
   */
  readonly stop: Effect.Effect<void>
}

const drainTimeoutDefault = "5 seconds"
const interruptTimeoutDefault = "1 second"

/** Starts a server that lives as long as the scope. */
export const make = Effect.fnUntraced(function* <E, R>(
  endpoint: Endpoint.Server,
  source: Protocol.Source<Transport.Transport, E, R>,
  options: Options = {}
): Effect.fn.Return<Server, ListenError, Reactor | Scope.Scope | Exclude<R, Scope.Scope>> {
  const reactor = yield* Reactor
  const protocol = yield* Protocol.fromSource(source) as Effect.Effect<
    Protocol.Protocol<Transport.Transport, unknown, never>
  >
  const context = yield* Effect.context<never>()
  const name = options.name ?? EndpointFormat.format(endpoint)
  const listener = yield* reactor.listen(endpoint)
  const counts = yield* SubscriptionRef.make(noCounts)
  const server = new Running(name, protocol, context, counts, options)
  const accept = listener.acceptEach(server.accept).pipe(
    Effect.tapCause((cause) => UnhandledFailure.report({ cause, place: name, peer: undefined })),
    Effect.forkDetach({ startImmediately: true })
  )
  const stopWith = (accepting: Fiber.Fiber<never, ListenError>) =>
    server.drain(listener.settle, Effect.andThen(Fiber.interrupt(accepting), listener.stop))
  const stop = stopWith(yield* Effect.acquireRelease(accept, stopWith))
  yield* Effect.logInfo(`${name} listening`).pipe(Effect.annotateLogs("address", String(listener.address)))
  return { name, address: listener.address, counts, stop }
})

/** A server as a Layer: it runs as long as the Layer does. */
export const layer = <E, R>(
  endpoint: Endpoint.Server,
  source: Protocol.Source<Transport.Transport, E, R>,
  options?: Options
): Layer.Layer<never, ListenError, Reactor | Exclude<R, Scope.Scope>> =>
  Layer.effectDiscard(make(endpoint, source, options)) as Layer.Layer<
    never,
    ListenError,
    Reactor | Exclude<R, Scope.Scope>
  >

class Running implements ConnectionHost {
  private readonly name: string
  private readonly protocol: Protocol.Protocol<Transport.Transport, unknown, never>
  private readonly context: Context.Context<never>
  private readonly annotations: Readonly<Record<string, unknown>>
  private readonly traced: boolean
  private readonly connectionsMax: number
  private readonly drainTimeout: Duration.Input
  private readonly interruptTimeout: Duration.Input
  private readonly counts: SubscriptionRef.SubscriptionRef<Counts>
  private readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly record: (before: Counts, now: Counts) => void

  private readonly connections = new DenseSet<Connection>()
  /** Over `connectionsMax`: on their way out. */
  private readonly refusals = new Set<Transport.Closeable>()
  private readonly stopping = Latch.makeUnsafe(false)
  private readonly empty = Latch.makeUnsafe(true)
  private readonly drained = Deferred.makeUnsafe<void>()
  private draining = false
  private accepted = 0
  private refused = 0
  private failed = 0
  private publishing = false

  constructor(
    name: string,
    protocol: Protocol.Protocol<Transport.Transport, unknown, never>,
    context: Context.Context<never>,
    counts: SubscriptionRef.SubscriptionRef<Counts>,
    options: Options
  ) {
    this.name = name
    this.protocol = protocol
    this.counts = counts
    this.connectionsMax = options.connectionsMax ?? Number.POSITIVE_INFINITY
    this.drainTimeout = options.drainTimeout ?? drainTimeoutDefault
    this.interruptTimeout = options.interruptTimeout ?? interruptTimeoutDefault
    this.annotations = Context.get(context, References.CurrentLogAnnotations)
    this.traced = context.mapUnsafe.has(Tracer.Tracer.key)
    // Merged once: a connection adds its scope and its annotations, nothing else.
    this.context = Context.add(context, Protocol.Stopping, this.stopping.await)
    this.run = Effect.runForkWith(this.context)
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    this.record = ServerMetrics.make(name, this.context)
  }

  readonly accept = (transport: Transport.Closeable): void => {
    if (this.connections.size >= this.connectionsMax) return this.refuse(transport)
    const connection = new Connection(++this.accepted, transport, this)
    this.connections.add(connection)
    this.empty.closeUnsafe()
    this.publish()
    const conversation = this.converse(connection)
    const start = Receiving.startOf(conversation)
    if (start === undefined) this.runIn(connection, conversation)
    else connection.running = start(connection)
  }

  private runIn(connection: Connection, conversation: Effect.Effect<void, unknown>): void {
    const fiber = Effect.runForkWith(connection.context)(conversation)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.ended(connection, exit)
    connection.running = fiber
    fiber.addObserver((exit) => this.ended(connection, exit))
  }

  private refuse(transport: Transport.Closeable): void {
    this.refused++
    this.refusals.add(transport)
    this.empty.closeUnsafe()
    this.publish()
    this.run(transport.close).addObserver(() => {
      this.refusals.delete(transport)
      if (this.isEmpty) this.empty.openUnsafe()
    })
  }

  private converse(connection: Connection): Effect.Effect<void, unknown> {
    if (!this.traced) return this.begin(connection)
    const attributes = { server: this.name, connection: connection.id, peer: connection.peer }
    return Effect.useSpan("Server.connection", { kind: "server", attributes }, (span) => {
      connection.span = span
      return Effect.withParentSpan(this.begin(connection), span)
    })
  }

  private begin(connection: Connection): Effect.Effect<void, unknown> {
    try {
      const conversation = this.protocol(connection.transport)
      // A program that is not type-checked may give anything.
      if (Effect.isEffect(conversation)) return conversation
      return Effect.die(new TypeError("the protocol gave no effect"))
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  contextOf(connection: Connection): Context.Context<never> {
    const context = Context.add(
      Context.add(this.context, Scope.Scope, connection.scope),
      References.CurrentLogAnnotations,
      { ...this.annotations, connection: connection.id, peer: connection }
    )
    return connection.span === undefined ? context : Context.add(context, Tracer.ParentSpan, connection.span)
  }

  /** The protocol returned: finalizers, then the transport, then the books. */
  ended(connection: Connection, exit: Exit.Exit<void, unknown>): void {
    const finalizers = connection.closeScope(exit)
    const close = connection.transport.close
    const begin = Closing.beginOf(close)
    if (begin !== undefined && finalizers === undefined && exit._tag === "Success") {
      return begin(() => this.gone(connection, Exit.void))
    }
    let last: Effect.Effect<void> = finalizers === undefined ? close : Effect.ensuring(finalizers, close)
    if (exit._tag === "Failure") last = Effect.ensuring(this.tell(connection, exit.cause), last)
    const fiber = this.run(last)
    const done = fiber.pollUnsafe()
    if (done === undefined) fiber.addObserver((done) => this.gone(connection, done))
    else this.gone(connection, done)
  }

  private gone(connection: Connection, exit: Exit.Exit<void>): void {
    if (exit._tag === "Failure") this.run(this.tell(connection, exit.cause))
    this.connections.delete(connection)
    if (this.isEmpty) this.empty.openUnsafe()
    this.publish()
  }

  private tell(connection: Connection, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const faulty = isFaulty(cause, "Local")
    if (faulty && !connection.failed) {
      connection.failed = true
      this.failed++
    }
    const effect = faulty
      ? UnhandledFailure.report({ cause, place: this.name, peer: connection.peer })
      : Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logDebug("connection lost", cause)
    return Effect.provideContext(effect, connection.context)
  }

  /** At most one update a turn, whatever the number of connections that came and went in it. */
  private publish(): void {
    if (this.publishing) return
    this.publishing = true
    this.dispatcher.scheduleTask(this.publishNow, 0)
  }

  private readonly publishNow = (): void => {
    this.publishing = false
    const counts: Counts = {
      open: this.connections.size,
      accepted: this.accepted,
      refused: this.refused,
      failed: this.failed
    }
    this.record(this.counts.value, counts)
    // As `SubscriptionRef.set`, without a fiber: nobody else writes it.
    this.counts.value = counts
    PubSub.publishUnsafe(this.counts.pubsub, counts)
  }

  /**
   * Waits for the one drain, which the first who asks starts. It runs in a fiber of its own: the usual way to
   * stop a server is to interrupt who runs it, and an interrupted fiber cannot wait with a timeout any more.
   */
  drain(settle: Effect.Effect<void>, stopAccepting: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.draining) {
        this.draining = true
        this.run(Deferred.into(this.drainNow(settle, stopAccepting), this.drained))
      }
      return Deferred.await(this.drained)
    })
  }

  private drainNow(settle: Effect.Effect<void>, stopAccepting: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const settling = yield* Effect.forkChild(settle, { startImmediately: true })
      const isSettled = settling.pollUnsafe() !== undefined
      if (isSettled) yield* stopAccepting
      yield* this.stopping.open
      yield* this.emptyWithin(this.drainTimeout, isSettled ? Effect.void : Fiber.await(settling))
      if (!isSettled) yield* Effect.andThen(Fiber.interrupt(settling), stopAccepting)
      for (const connection of this.connections) this.run(connection.interrupt)
      yield* this.emptyWithin(this.interruptTimeout)
      for (const connection of this.connections) yield* connection.transport.abort
      for (const transport of this.refusals) yield* transport.abort
      yield* this.empty.await
      this.publishNow()
    })
  }

  private get isEmpty(): boolean {
    return this.connections.size === 0 && this.refusals.size === 0
  }

  /** At most so long, once `before` is over, if that is something. */
  private emptyWithin(
    timeout: Duration.Input,
    before: Effect.Effect<unknown> = Effect.void
  ): Effect.Effect<void> {
    const empty = Effect.suspend(() => (this.isEmpty ? Effect.void : this.empty.await))
    return Effect.suspend(() =>
      before === Effect.void && this.isEmpty
        ? Effect.void
        : Effect.asVoid(Effect.timeoutOption(Effect.andThen(before, empty), timeout))
    )
  }
}
