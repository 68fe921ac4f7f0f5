/** Failures in the log: once each, and none silently lost. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import { type CapturedSpan, captureOf, currentSpan, markReported, newsOf } from "./FailureCapture.ts"
import { type AnyMatchers, type Knowing, type Matcher, type Rest, matches } from "./FailureMatcher.ts"
import { loggable, messageOfCause } from "./FailureRender.ts"
import { type Failure, causeOf, isFailure } from "./FailureValue.ts"
import { CurrentUnhandled, Unhandled } from "./FailureWatch.ts"

export interface ReportOptions {
  /** What is logged beside the cause; else the failure's own message, on one line. */
  readonly message?: string | undefined
  /** Error. */
  readonly level?: LogLevel.Severity | undefined
  /** Which part of the program says so: the annotation `namespace`. */
  readonly namespace?: string | undefined
  /** More annotations. */
  readonly annotations?: Readonly<Record<string, unknown>> | undefined
}

export interface UnhandledOptions extends Omit<ReportOptions, "message"> {
  /** What the scope is of: "the importer". It is the annotation `place`, and in the message. */
  readonly place: string
}

const spanAnnotations = (span: CapturedSpan | undefined): Readonly<Record<string, unknown>> =>
  span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }

/** Logs what of the cause is news, and notes that. */
const log = (cause: Cause.Cause<unknown>, options: ReportOptions): Effect.Effect<void> =>
  Effect.suspend(() => {
    const news = newsOf(cause)
    if (news === undefined) return Effect.void
    const capture = news.reasons.map(captureOf).find((capture) => capture !== undefined)
    markReported(news)
    return Effect.annotateLogs(
      Effect.logWithLevel(options.level ?? "Error")(options.message ?? messageOfCause(news), loggable(news)),
      {
        ...spanAnnotations(capture === undefined ? currentSpan() : capture.span),
        ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
        ...options.annotations
      }
    )
  })

/**
 * Logs a failure through Effect's loggers, with its cause; once: what was reported before, by whomever and wherever it
 * came from since, is not reported again. An interruption alone is nothing to report. Twisted: `Logger.failure`.
 */
export const report: {
  (options?: ReportOptions): (self: Failure<unknown>) => Effect.Effect<void>
  (self: Failure<unknown>, options?: ReportOptions): Effect.Effect<void>
} = ((self?: Failure<unknown> | ReportOptions, options: ReportOptions = {}) =>
  isFailure(self)
    ? log(causeOf(self), options)
    : (failure: Failure<unknown>) => report(failure, self as ReportOptions | undefined)) as never

/** Reports what an effect fails with, and lets it fail so: who meets it further up does not report it again. */
export const withReporting: {
  (options?: ReportOptions): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, options?: ReportOptions): Effect.Effect<A, E, R>
} = ((effect?: Effect.Effect<unknown, unknown, unknown> | ReportOptions, options: ReportOptions = {}) =>
  Effect.isEffect(effect)
    ? effect.pipe(
        Effect.catchCause((cause) =>
          Effect.flatMap(log(cause, options), () => Effect.failCause(markReported(cause)))
        ),
        // An interrupted fiber skips the line above: here is told what its finalizers died of.
        Effect.onError((cause) => log(cause, options))
      )
    : (self: Effect.Effect<unknown, unknown, unknown>) =>
        withReporting(self, effect as ReportOptions | undefined)) as never

/**
 * Makes of the failures that are meant nothing: the effect succeeds with `undefined`, and they leave its error type. Tags,
 * and all that `trap` takes. A failure with something else in it goes on, without what is meant.
 */
export const suppress: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <A, E, R>(
    effect: Effect.Effect<A, E, R> & Knowing<E, M>
  ) => Effect.Effect<A | undefined, Rest<E, M[number]>, R>
  <A, E, R, const M extends readonly [Matcher<E>, ...ReadonlyArray<Matcher<E>>]>(
    effect: Effect.Effect<A, E, R>,
    ...matchers: M
  ): Effect.Effect<A | undefined, Rest<E, M[number]>, R>
} = ((...args: ReadonlyArray<unknown>) => {
  const [first, ...others] = args
  if (!Effect.isEffect(first)) return (effect: unknown) => (suppress as Function)(effect, ...args)
  return Effect.catchCause(first, (cause) => {
    const rest = cause.reasons.filter((reason) => !matches(reason, others))
    const isMet = rest.length < cause.reasons.length
    return isMet && rest.every(({ _tag }) => _tag === "Interrupt")
      ? Effect.undefined
      : Effect.failCause(isMet ? Cause.fromReasons(rest) : cause)
  })
}) as never

const reportAll = (unhandled: Unhandled, { place, ...options }: UnhandledOptions): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { causes, more } = unhandled.close()
    const message = `Unhandled failure in ${place}`
    const annotations = { place, ...options.annotations }
    const each = Effect.forEach(causes, (cause) => log(cause, { ...options, message, annotations }), {
      discard: true
    })
    return more === 0
      ? each
      : Effect.andThen(
          each,
          Effect.annotateLogs(
            Effect.logWithLevel(options.level ?? "Error")(`${more} more unhandled failures in ${place}`),
            annotations
          )
        )
  })

/** A watch over failures, for what makes them by other means than `result` (see `watch`). */
export const makeUnhandled = (options: UnhandledOptions): Effect.Effect<Unhandled, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Unhandled()),
    (unhandled) => reportAll(unhandled, options)
  )

/**
 * Runs an effect. A failure that becomes a value in it (by `result`, `fromPromise`, `partitionEffects`, `watch`) and that
 * nobody looks at is reported when the effect ends: then, in the order they failed, and not when a garbage collector comes
 * by. To look is to take its `cause`, match, render, raise or report it, or to say `handled`. Of more than 1000 only the
 * number is told. What a fiber makes that outlives it is not watched.
 */
export const reportUnhandled: {
  (options: UnhandledOptions): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, options: UnhandledOptions): Effect.Effect<A, E, R>
} = ((
  ...args: readonly [UnhandledOptions] | readonly [Effect.Effect<unknown, unknown, unknown>, UnhandledOptions]
) => {
  if (args.length === 1)
    return (effect: Effect.Effect<unknown, unknown, unknown>) => reportUnhandled(effect, args[0])
  const [effect, options] = args
  return Effect.acquireUseRelease(
    Effect.sync(() => new Unhandled()),
    (unhandled) => Effect.provideService(effect, CurrentUnhandled, unhandled),
    (unhandled) => reportAll(unhandled, options)
  )
}) as never

/** The same for what is built with this layer: reported when the layer's scope closes. */
export const layerUnhandled = (options: UnhandledOptions): Layer.Layer<never> =>
  Layer.effectContext(
    Effect.map(
      makeUnhandled(options),
      (unhandled) => Context.make(CurrentUnhandled, unhandled) as Context.Context<never>
    )
  )

/** Has the nearest `reportUnhandled`, if there is one, watch a failure from now on. */
export const watch = (self: Failure<unknown>): Effect.Effect<void> =>
  Effect.map(CurrentUnhandled, (unhandled) => unhandled?.add(causeOf(self)))

/** Reports a failure when the scope closes, unless somebody has looked at it by then. */
export const watchInScope = (
  self: Failure<unknown>,
  options: UnhandledOptions
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.map(makeUnhandled(options), (unhandled) => unhandled.add(causeOf(self)))
