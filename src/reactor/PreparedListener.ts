import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { isFaulty } from "./Blame.ts"
import type * as Endpoint from "./Endpoint.ts"
import { visible } from "./EndpointExcerpt.ts"
import type { Listener } from "./Listener.ts"
import { StreamListener } from "./StreamListener.ts"
import type { Closeable } from "./Transport.ts"
import * as UnhandledFailure from "./UnhandledFailure.ts"
import { uptimeMillis } from "./uptime.ts"

export interface Options {
  /** The description of the whole endpoint. */
  readonly endpoint: string
  /**
   * What a connection goes through before it is handed over: a handshake, a header. It must be interruptible. A failure resets the
   * connection: told at level Debug when the peer or the network is at fault, reported to `UnhandledFailure.Reporter` when we are.
   */
  readonly prepare: (transport: Closeable) => Effect.Effect<Closeable, unknown>
  /** How long that may take. Default: as long as `prepare` lets it. */
  readonly prepareTimeout?: Duration.Input | undefined
  /**
   * Connections under preparation at once. What comes above takes the place of the oldest, if that has lasted a second already;
   * otherwise it is reset.
   */
  readonly preparingMax: number
  /** Prepared connections that may wait while nobody accepts. */
  readonly waitingMax: number
}

const backlogDefault = 511
/** Milliseconds that a preparation may last before it has to make room for another. */
const patience = 1_000

/** `waitingMax` of what is composed around `endpoint`: the backlog of the endpoint at the bottom. */
export const waitingMaxOf = (endpoint: Endpoint.Server): number => {
  switch (endpoint._tag) {
    case "SecuredServer":
    case "ProxiedServer":
      return waitingMaxOf(endpoint.inner)
    case "StdioServer":
      return backlogDefault
    default:
      return endpoint.backlog ?? backlogDefault
  }
}

/**
 * A listener whose connections go through something first. Whoever is slow at it holds up nobody else: they are handed over in
 * the order in which they are ready. Stopping ends those under preparation, and returns when nothing is left of them.
 */
export const make = Effect.fnUntraced(function* (
  inner: Listener,
  options: Options
): Effect.fn.Return<Listener, never, Scope.Scope> {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const clock = yield* Clock.Clock
  const listener = yield* Effect.acquireRelease(
    Effect.sync(() => new PreparedListener(inner, options, run, clock)),
    (listener) => listener.stop
  )
  yield* Effect.forkScoped(listener.listening, { startImmediately: true })
  return listener
})

type Preparation = Fiber.Fiber<void, unknown>
type Run = (effect: Effect.Effect<void, unknown>) => Preparation

class PreparedListener extends StreamListener {
  private readonly inner: Listener
  private readonly options: Options
  private readonly run: Run
  private readonly clock: Clock.Clock
  /** When each began, the oldest first. */
  private readonly preparing = new Map<Preparation, number>()
  /** Connections that nobody will take, on their way out. */
  private readonly leaving = new Set<Preparation>()
  private settling = false

  constructor(inner: Listener, options: Options, run: Run, clock: Clock.Clock) {
    super(options)
    this.inner = inner
    this.options = options
    this.run = run
    this.clock = clock
  }

  get address(): NetAddress.SocketAddress {
    return this.inner.address
  }

  /** Takes what the inner listener accepts, until that one stops. */
  get listening(): Effect.Effect<void> {
    return Effect.exit(this.inner.acceptEach((transport) => this.begin(transport))).pipe(
      Effect.andThen(Effect.suspend(() => (this.settling ? Effect.void : this.stop)))
    )
  }

  protected override awaitPrepared(): Effect.Effect<void> {
    this.settling = true
    return this.inner.settle.pipe(
      Effect.andThen(this.inner.stop),
      Effect.andThen(Effect.suspend(() => Fiber.awaitAll([...this.preparing.keys()]))),
      Effect.asVoid
    )
  }

  private begin(transport: Closeable): void {
    if (this.preparing.size >= this.options.preparingMax && !this.makeRoom()) return this.discard(transport)
    const fiber = this.run(this.prepare(transport))
    if (fiber.pollUnsafe() !== undefined) return
    this.preparing.set(fiber, uptimeMillis(this.clock))
    fiber.addObserver(() => this.preparing.delete(fiber))
  }

  /** Whoever only holds a place, and never goes on, does not keep others out for the whole of `prepareTimeout`. */
  private makeRoom(): boolean {
    const [oldest] = this.preparing
    if (oldest === undefined || uptimeMillis(this.clock) - oldest[1] < patience) return false
    this.preparing.delete(oldest[0])
    this.leave(oldest[0])
    oldest[0].interruptUnsafe()
    return true
  }

  private leave(fiber: Preparation): void {
    if (fiber.pollUnsafe() !== undefined) return
    this.leaving.add(fiber)
    fiber.addObserver(() => this.leaving.delete(fiber))
  }

  /** The peer's failure, ours (a hook that dies), and the deadline end this connection, and nothing else. */
  private prepare(transport: Closeable): Effect.Effect<void, unknown> {
    const { prepare, prepareTimeout } = this.options
    const prepared = Effect.suspend(() => prepare(transport))
    return (prepareTimeout === undefined ? prepared : Effect.timeout(prepared, prepareTimeout)).pipe(
      Effect.map((ready) => this.deliver(ready)),
      Effect.onError((cause) => Effect.ensuring(this.tell(transport, cause), drop(transport)))
    )
  }

  private tell(transport: Closeable, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const peer = visible(NetAddress.formatSocketAddress(transport.peer))
    const place = this.endpoint
    if (cause.reasons.every((reason) => reason._tag === "Interrupt")) return Effect.void
    if (isFaulty(cause, "Remote")) return UnhandledFailure.report({ cause, place, peer })
    return Effect.annotateLogs(Effect.logDebug("connection refused", cause), { place, peer })
  }

  protected discard(transport: Closeable): void {
    this.leave(this.run(drop(transport)))
  }

  protected release(): Effect.Effect<void> {
    return Effect.andThen(
      this.inner.stop,
      Effect.suspend(() =>
        Effect.andThen(Fiber.interruptAll([...this.preparing.keys()]), Fiber.awaitAll([...this.leaving]))
      )
    )
  }
}

const drop = (transport: Closeable): Effect.Effect<void> => Effect.andThen(transport.abort, transport.close)
