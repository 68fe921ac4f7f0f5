/**
 * Ends conversations with peers that are too slow: a deadline for each phase. Deadlines are numbers swept by one
 * timer per duration, for all connections of the wrapper. Twisted: `TimeoutMixin`, and what its protocols do with
 * `callLater`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Conversation } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type Farewell, say } from "./Cut.ts"
import { PhaseTimeoutError } from "./PhaseTimeoutError.ts"
import { type PhaseOptions, type Rate, RateWatch } from "./RateWatch.ts"
import { Timers, TimeoutWatch, type Watches } from "./TimeoutWatch.ts"

export { PhaseTimeoutError }
export type { PhaseOptions, Rate }

export interface Options extends Watches {
  /** Until the first byte comes. Default: for ever. */
  readonly firstByte?: Duration.Input | undefined
  /** The whole conversation. Default: for ever. */
  readonly total?: Duration.Input | undefined
  /**
   * For protocols whose whole input is one message: the least that must come, from the first byte to the end of
   * input, while the protocol waits for input. For others, see `phase`. Default: none.
   */
  readonly minReceiveRate?: Rate | undefined
  /**
   * How long one `send` may wait for the peer to read. A piece far above the high-water mark waits until most of it
   * has left: send what is big in pieces. Default: for ever.
   */
  readonly sendProgress?: Duration.Input | undefined
  /** Said before the connection is closed, for all phases or depending on the phase. Default: nothing. */
  readonly goodbye?: Uint8Array | string | ((phase: string) => Uint8Array | string | undefined) | undefined
  /** Resets the connection instead of closing it. `sendProgress` always does: nothing reaches who does not read. Default `false`. */
  readonly reset?: boolean | undefined
  /** How long an interrupted protocol may clean up, and then the goodbye take, before the connection is reset. Default 5 seconds. */
  readonly patience?: Duration.Input | undefined
}

/** Deadlines that a protocol sets for itself; given by `over`. */
export class Phases extends Context.Service<
  Phases,
  {
    /** As `phase`. */
    readonly within: <A, E, R>(
      name: string,
      timeout: Duration.Input,
      options: PhaseOptions,
      effect: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | PhaseTimeoutError, R>
    /**
     * From now on the conversation is in this phase, instead of the one entered before. When it stays there too
     * long, `over` ends it with a `PhaseTimeoutError`. For protocols that live in `receiveEach`: it needs no fiber.
     */
    readonly enter: (
      name: string,
      timeout: Duration.Input,
      options?: PhaseOptions | undefined
    ) => Effect.Effect<void>
    /** Ends the phase that was entered last. */
    readonly leave: Effect.Effect<void>
  }
>()("spindle/protocol/Timeout/Phases") {}

const patienceDefault = "5 seconds"

/**
 * A conversation that outlasts a deadline is interrupted, and fails with a `PhaseTimeoutError` after the goodbye; so
 * does one in which nobody catches that of a `phase`. Deadlines pass up to a sixteenth late, never early. Throws a
 * `RangeError` for a rate that is no positive number.
 */
export const over = (options: Options) => {
  if (options.minReceiveRate !== undefined) RateWatch.check(options.minReceiveRate)
  const timers = new Timers()
  const farewellOf = farewells(options)
  return <E, R>(
    protocol: Conversation<Transport, E, R>
  ): Conversation<Transport, E | PhaseTimeoutError, Exclude<R, Phases>> =>
    (transport) =>
      Effect.acquireUseRelease(
        Effect.sync(() => new TimeoutWatch(timers, transport, options, farewellOf)),
        (watch) => {
          const conversation = Effect.suspend(() => watch.cut.around(protocol(watch.view(transport))))
          return Effect.andThen(watch.start, conversation).pipe(
            Effect.provideService(Phases, phasesOf(watch)),
            Effect.tapError((error) =>
              // That of a phase, which nobody caught.
              error instanceof PhaseTimeoutError && watch.failures.has(error)
                ? say(farewellOf(error.phase, watch.transport))
                : Effect.void
            )
          )
        },
        (watch) => Effect.sync(() => watch.close())
      )
}

const phasesOf = (watch: TimeoutWatch): Phases["Service"] => ({
  within: (name, timeout, options, effect) => watch.within(name, timeout, options, effect),
  enter: (name, timeout, options = {}) => watch.enter(name, timeout, options),
  leave: watch.leave
})

/**
 * Gives `effect` so much time: then it is interrupted, and fails with a `PhaseTimeoutError`. Who does not catch that
 * lets `over` say goodbye. With `minReceiveRate` the peer must meanwhile send that much, whenever it is waited for.
 *
 * ```ts
 * const header = readHeader.pipe(Timeout.phase("header", "10 seconds"))
 * const body = readBody.pipe(Timeout.phase("body", "10 minutes", { minReceiveRate: { bytesPerSecond: 500 } }))
 * ```
 */
export const phase = (name: string, timeout: Duration.Input, options: PhaseOptions = {}) => {
  if (options.minReceiveRate !== undefined) RateWatch.check(options.minReceiveRate)
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | PhaseTimeoutError, R | Phases> =>
    Effect.flatMap(Phases, (phases) => phases.within(name, timeout, options, effect))
}

const farewells = (options: Options) => {
  const { goodbye, patience = patienceDefault, reset = false } = options
  return (phase: string, transport: Transport): Farewell => ({
    transport,
    reset: reset || phase === "sendProgress",
    goodbye: () => (typeof goodbye === "function" ? goodbye(phase) : goodbye),
    patience
  })
}
