/**
 * A connection that speaks in frames: a `Transport`, a `Decoder` for what comes, an encoder for what goes.
 * `Lines`, `Netstrings`, `LengthPrefixed` and `Ndjson` are made here; so is any framing of your own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import { HandOver } from "../reactor/HandOver.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Decoder } from "./Decoder.ts"
import type { FramingError } from "./FramingError.ts"

export interface Frames<out In, in Out> {
  /** What carries the frames: for its addresses and security. Receive from it only after `detach`. */
  readonly transport: Transport
  /**
   * The next frame. Fails with `Cause.Done` at a clean end of input, with `FramingError` for what is no frame
   * (an unfinished one at the end of input included); then it stays failed. Interrupting it loses nothing.
   */
  readonly receive: Pull.Pull<In, FramingError | TransportError>
  /** All frames that are whole, at least one; waits for one. Frames come before the failure behind them. */
  readonly receiveBatch: Pull.Pull<ReadonlyArray<In>, FramingError | TransportError>
  /** Runs `f` for each frame, in order, inside the event that completed it, until the end of input. */
  readonly receiveEach: <E, R>(
    f: (frame: In) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | FramingError | TransportError, R>
  /** Sends one frame; see `Transport.send`. */
  readonly send: (frame: Out) => Effect.Effect<void, FramingError | TransportError>
  /**
   * Hands everything behind the last frame back to the transport, and gives the transport: for raw bytes, TLS,
   * another framing. Receiving frames again afterwards goes on with what the transport gives then. A frame that was found for a
   * `receive` that was interrupted is dropped.
   */
  readonly detach: Effect.Effect<Transport>
  /** Bytes that came and belong to no frame yet. */
  readonly bufferedBytes: Effect.Effect<number>
}

/** Frames over `transport`. `encode` fails for what has no frame; a string goes out as UTF-8. */
export const make = <In, Out>(
  transport: Transport,
  decoder: Decoder<In>,
  encode: (frame: Out) => Result.Result<Uint8Array | string, FramingError>
): Frames<In, Out> => new DecodedFrames(transport, decoder, encode)

class DecodedFrames<In, Out> implements Frames<In, Out> {
  readonly transport: Transport
  readonly receive: Pull.Pull<In, FramingError | TransportError>
  readonly receiveBatch: Pull.Pull<ReadonlyArray<In>, FramingError | TransportError>
  readonly send: Frames<In, Out>["send"]
  private readonly decoder: Decoder<In>
  // What was found for a receiver, on its way to it.
  private given: HandOver<In> | undefined = undefined
  private givenBatch: HandOver<ReadonlyArray<In>> | undefined = undefined
  /** What is left of a batch that did not get there. */
  private rest: ReadonlyArray<In> = none

  constructor(
    transport: Transport,
    decoder: Decoder<In>,
    encode: (frame: Out) => Result.Result<Uint8Array | string, FramingError>
  ) {
    this.transport = transport
    this.decoder = decoder

    this.receive = this.pull(
      () => this.next(),
      () => (this.given ??= new HandOver())
    )
    this.receiveBatch = this.pull(
      () => {
        const first = this.first()
        const frames = first === undefined ? decoder.drain() : [first, ...this.rest, ...decoder.drain()]
        this.rest = none
        return frames.length === 0 ? undefined : frames
      },
      () => (this.givenBatch ??= new HandOver())
    )

    const write = transport.send
    this.send = (frame) =>
      Effect.suspend((): Effect.Effect<void, FramingError | TransportError> => {
        const encoded = encode(frame)
        return Result.isSuccess(encoded) ? write(encoded.success) : Effect.fail(encoded.failure)
      })
  }

  private next(): In | undefined {
    return this.first() ?? this.decoder.next()
  }

  /** The first frame that somebody was interrupted before he had it. */
  private first(): In | undefined {
    const frame = this.given?.reclaim()
    if (frame !== undefined) return frame
    const frames = this.givenBatch?.reclaim() ?? this.rest
    if (frames.length === 0) return undefined
    this.rest = frames.slice(1)
    return frames[0]
  }

  /** What `take` finds, after as much more input as that needs. */
  private pull<A>(
    take: () => A | undefined,
    handOver: () => HandOver<A>
  ): Pull.Pull<A, FramingError | TransportError> {
    const decoder = this.decoder
    const give = (taken: A): Effect.Effect<A> => {
      const given = handOver()
      // Several who receive at once are not told from each other.
      if (given.isPending) return Exit.succeed(taken)
      given.expect()
      return given.give(taken)
    }
    const more = Effect.matchCauseEffect(this.transport.receive, {
      onSuccess: (bytes): Pull.Pull<A, FramingError | TransportError> => {
        decoder.push(bytes)
        return next
      },
      onFailure: (cause): Pull.Pull<A, FramingError | TransportError> => {
        if (!cause.reasons.some(isDone)) return Effect.failCause(cause)
        decoder.finish()
        const last = take()
        if (last !== undefined) return give(last)
        return decoder.failure === undefined ? Effect.failCause(cause) : Effect.fail(decoder.failure)
      }
    })
    const next: Pull.Pull<A, FramingError | TransportError> = Effect.suspend(() => {
      const taken = take()
      if (taken !== undefined) return give(taken)
      return decoder.failure === undefined ? more : Effect.fail(decoder.failure)
    })
    return next
  }

  get receiveEach(): Frames<In, Out>["receiveEach"] {
    return (f) => {
      const decoder = this.decoder
      const nextFrame = () => this.next()
      const failure: Effect.Effect<void, FramingError> = Effect.suspend(() =>
        decoder.failure === undefined ? Effect.void : Effect.fail(decoder.failure)
      )
      const handleAll = forEachFrame(nextFrame, f)
      const handle = Effect.andThen(handleAll, failure)
      return Effect.andThen(
        // Frames that were read ahead by `receive` come first.
        handle,
        Effect.andThen(
          this.transport.receiveEach((bytes) => {
            decoder.push(bytes)
            return handle
          }),
          Effect.suspend(() => {
            decoder.finish()
            return handle
          })
        )
      )
    }
  }

  get detach(): Effect.Effect<Transport> {
    return Effect.suspend(() => {
      while (this.first() !== undefined) {
        // It is no bytes any more.
      }
      return Effect.as(this.transport.unread(this.decoder.takeRest()), this.transport)
    })
  }

  get bufferedBytes(): Effect.Effect<number> {
    return Effect.sync(() => this.decoder.bufferedBytes)
  }
}

const none: ReadonlyArray<never> = []

/** Runs `f` for one frame after another until there is no whole one; a fiber of its own per frame would cost more than the frame. */
const forEachFrame = <Frame, E, R>(
  nextFrame: () => Frame | undefined,
  f: (frame: Frame) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let frame: Frame | undefined
    return Effect.whileLoop({
      while: () => (frame = nextFrame()) !== undefined,
      body: () => f(frame!),
      step: () => {}
    })
  })

const isDone = (reason: Cause.Reason<unknown>): boolean =>
  reason._tag === "Fail" && Cause.isDone(reason.error)

/** The next frame, or `undefined` at a clean end of input: for loops that end with the input. */
export const orEnd = <In>(
  frames: Pick<Frames<In, never>, "receive">
): Effect.Effect<In | undefined, FramingError | TransportError> =>
  Effect.catchIf(frames.receive, Cause.isDone, () => Effect.succeed(undefined)) as Effect.Effect<
    In | undefined,
    FramingError | TransportError
  >
