/** Transports and Effect's streams and sinks, each as the other. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Errno from "../reactor/Errno.ts"
import { TransportError, type TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { CarriedTransport, type Options } from "./CarriedTransport.ts"
import type { Carrier } from "./Carrier.ts"
import { Handoff } from "./Handoff.ts"
import * as SocketReason from "./SocketReason.ts"

// --- a transport as a stream and a sink -------------------------------------------------------------------

/**
 * What comes in, until the peer ends its side. Nothing is received but what is asked for. A stream that is left early leaves the
 * rest to whoever receives next.
 */
export const receive = (transport: Transport): Stream.Stream<Uint8Array, TransportError> =>
  Stream.fromPull(Effect.succeed(pullOf(transport)))

const pullOf = (transport: Transport): Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, TransportError> =>
  Effect.map(transport.receive, (bytes) => [bytes] as const)

export interface SinkOptions {
  /**
   * Half-close when the stream is done, and abort when it fails or is interrupted, so that a part is never taken for the whole.
   * Default `true`; without it, the connection goes on as it is.
   */
  readonly endOnDone?: boolean | undefined
}

/** Sends what it is given, as fast as the peer takes it. The pieces of one chunk leave in one write. */
export const sink = (
  transport: Transport,
  options?: SinkOptions
): Sink.Sink<void, Uint8Array | string, never, TransportError> =>
  Sink.fromTransform((upstream) =>
    Effect.as(
      pump(transport, upstream, options, () => Effect.void),
      [undefined] as const
    )
  )

/** Sends all of `upstream`; `onFailure` comes before the abort. */
const pump = <E>(
  transport: Transport,
  upstream: Pull.Pull<NonEmptyReadonlyArray<Uint8Array | string>, E, unknown>,
  options: SinkOptions | undefined,
  onFailure: (cause: Cause.Cause<TransportError | Pull.ExcludeDone<E>>) => Effect.Effect<unknown>
): Effect.Effect<void, TransportError | Pull.ExcludeDone<E>> => {
  const ends = options?.endOnDone ?? true
  const all: Pull.Pull<never, E | TransportError, unknown> = upstream.pipe(
    Effect.flatMap((chunk) => Effect.forEach(chunk, transport.send, { discard: true })),
    Effect.forever({ disableYield: true })
  )
  const sending: Effect.Effect<void, TransportError | Pull.ExcludeDone<E>> = Pull.catchDone(all, () =>
    ends ? transport.end : Effect.void
  )
  return Effect.onExit(sending, (exit) =>
    Exit.isSuccess(exit)
      ? Effect.void
      : Effect.andThen(onFailure(exit.cause), ends ? transport.abort : Effect.void)
  )
}

/**
 * Both directions as a channel, for `Stream.pipeThroughChannel`: sends what goes in, gives what comes in, each as fast as the
 * peer is. A failure of either ends both.
 */
export const channel = <IE = never>(
  transport: Transport,
  options?: SinkOptions
): Channel.Channel<
  NonEmptyReadonlyArray<Uint8Array>,
  TransportError | IE,
  void,
  NonEmptyReadonlyArray<Uint8Array | string>,
  IE
> =>
  Channel.fromTransform<
    NonEmptyReadonlyArray<Uint8Array>,
    TransportError | IE,
    void,
    NonEmptyReadonlyArray<Uint8Array | string>,
    IE,
    unknown,
    never,
    never,
    never
  >(
    Effect.fnUntraced(function* (
      upstream: Pull.Pull<NonEmptyReadonlyArray<Uint8Array | string>, IE, unknown>,
      scope: Scope.Scope
    ) {
      const failed = yield* Deferred.make<never, TransportError | IE>()
      const sending = pump(transport, upstream, options, (cause) =>
        Deferred.failCause(failed, cause as Cause.Cause<TransportError | IE>)
      )
      yield* Effect.forkIn(Effect.exit(sending), scope)
      return Effect.raceFirst(pullOf(transport), Deferred.await(failed))
    })
  )

// --- a stream and a sink as a transport -------------------------------------------------------------------

export interface MakeOptions<E1, R1, E2, R2> extends Options {
  /** What is received. Its end is the peer's. */
  readonly input: Stream.Stream<Uint8Array | string, E1, R1>
  /** What is sent: each turn's output as one element. It sees the end of the stream when our side ends, and is interrupted by `abort`. */
  readonly output: Sink.Sink<unknown, Uint8Array, unknown, E2, R2>
}

/**
 * A transport over any stream and sink, closed with the scope. A failure of either is how the connection was lost: with the reason
 * of a `TransportError` or a `SocketError`, else by the system's code that the error has, else `Unknown` with the error as its cause.
 * A sink that stops before the end takes no more: sending fails as `Reset`.
 */
export const make = <E1, R1, E2, R2>(
  options: MakeOptions<E1, R1, E2, R2>
): Effect.Effect<Transport, never, R1 | R2 | Scope.Scope> =>
  Effect.acquireRelease(makeCloseable(options), (transport) => transport.close)

/** As `make`; whoever gets the transport owes its `close`. */
export const makeCloseable = <E1, R1, E2, R2>(
  options: MakeOptions<E1, R1, E2, R2>
): Effect.Effect<Closeable, never, R1 | R2> =>
  Effect.uninterruptible(
    Effect.flatMap(carrierOf(options), (carrier) => CarriedTransport.make(carrier, options))
  )

const encoder = new TextEncoder()
const encode = (piece: Uint8Array | string): Uint8Array =>
  typeof piece === "string" ? encoder.encode(piece) : piece

const carrierOf = <E1, R1, E2, R2>({ input, output }: MakeOptions<E1, R1, E2, R2>) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R1 | R2>()
    const scope = yield* Scope.make()
    const pull = yield* Scope.provide(Stream.toPull(input), scope)
    const handoff = new Handoff<TransportReason>()
    const sinking = yield* Stream.fromPull(Effect.succeed(handoff.pull)).pipe(
      Stream.run(output),
      Effect.onExit((exit) => Effect.sync(() => handoff.refuse(Effect.fail(whyRefused(exit))))),
      Effect.interruptible,
      Effect.forkDetach({ startImmediately: true })
    )
    const carrier: Carrier = {
      pull: pull.pipe(
        Effect.map((pieces) => pieces.map(encode)),
        Effect.catchCause((cause) => Effect.fail(pullReason(cause))),
        Effect.provideContext(context)
      ),
      write: (bytes) => handoff.write(bytes),
      end: Effect.andThen(
        Effect.sync(() => handoff.end()),
        Effect.flatMap(Fiber.await(sinking), (exit) =>
          Exit.isSuccess(exit) ? Effect.void : Effect.fail(whyRefused(exit))
        )
      ),
      abort: Effect.asVoid(Fiber.interrupt(sinking)),
      release: Effect.andThen(Fiber.interrupt(sinking), Scope.close(scope, Exit.void)),
      lost: Effect.flatMap(Fiber.await(sinking), (exit) =>
        Exit.isSuccess(exit) ? Effect.never : Effect.succeed(whyRefused(exit))
      ),
      halfClose: true,
      // The two are no more than neighbours: nothing of what was sent hangs on what still comes.
      lingerTimeout: 0
    }
    return carrier
  })

const whyRefused = (exit: Exit.Exit<unknown, unknown>): TransportReason =>
  Exit.isSuccess(exit)
    ? new Reason.Reset({ detail: "the sink takes no more" })
    : failureReason(Cause.findError(exit.cause), exit.cause)

const pullReason = (cause: Cause.Cause<unknown>): TransportReason | Cause.Done => {
  const found = Cause.findError(cause)
  return Result.isSuccess(found) && Cause.isDone(found.success) ? Cause.Done() : failureReason(found, cause)
}

const failureReason = (
  found: Result.Result<unknown, unknown>,
  cause: Cause.Cause<unknown>
): TransportReason => {
  if (Result.isFailure(found)) {
    return new Reason.Unknown({ detail: "the stream failed", cause: Cause.squash(cause) })
  }
  const error = found.success
  if (error instanceof TransportError) return error.reason
  if (Socket.isSocketError(error)) {
    return (
      SocketReason.transportReason(error) ??
      new Reason.Reset({ detail: "the socket was closed", cause: error })
    )
  }
  return Errno.transportReason(error)
}
