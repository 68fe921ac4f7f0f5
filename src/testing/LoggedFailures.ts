/**
 * An unexpected failure in the log fails the test. Twisted: `TestCase.flushLoggedErrors`. With the setup file
 * `spindle/testing/setup` it does in each test; without, in those that have the layer:
 *
 * ```ts
 * it.effect("...", () =>
 *   Effect.gen(function* () {
 *     yield* serve
 *     assert.strictEqual((yield* flushLoggedFailures("ConnectError")).length, 1)
 *   }).pipe(Effect.provide(LoggedFailures.layer()))
 * )
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Failure from "../result/Failure.ts"
import { make } from "../result/FailureValue.ts"
import * as LeakOwner from "./LeakOwner.ts"

/** Failures were logged, and the test did not say that it knew. */
export class UnflushedFailures extends Data.TaggedError("UnflushedFailures")<{
  readonly failures: ReadonlyArray<Failure.Failure<unknown>>
  readonly message: string
}> {}

/** What was logged so far. */
export class LoggedFailures extends Context.Service<
  LoggedFailures,
  {
    /** Takes out what is meant, in the order it was logged. */
    readonly flush: (
      matchers: ReadonlyArray<Failure.Matcher<unknown>>
    ) => ReadonlyArray<Failure.Failure<unknown>>
  }
>()("spindle/testing/LoggedFailures") {}

export interface Options {
  /** Entries below this level are not looked at. Warn. */
  readonly level?: LogLevel.Severity | undefined
}

/** What goes wrong in an entry: its cause, and failures among its messages. */
const failuresOf = ({ cause, message }: Logger.Options<unknown>): ReadonlyArray<Failure.Failure<unknown>> => {
  const messages: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
  const all = [...messages.filter(Failure.isFailure), ...(cause.reasons.length === 0 ? [] : [make(cause)])]
  return all.filter((failure) => !Failure.isInterrupted(failure))
}

/** Defects are matched as errors are: whether an error was expected where it was thrown says nothing here. */
const asErrors = (failure: Failure.Failure<unknown>): Failure.Failure<unknown> =>
  make(
    Cause.fromReasons(
      failure.cause.reasons.map((reason) =>
        reason._tag === "Die" ? Cause.makeFailReason(reason.defect) : reason
      )
    )
  )

const complaint = (failures: ReadonlyArray<Failure.Failure<unknown>>): string =>
  [
    failures.length === 1
      ? "A logged failure was not flushed:"
      : `${failures.length} logged failures were not flushed:`,
    ...failures.map((failure) => Failure.render(failure))
  ].join("\n\n")

type Flush = LoggedFailures["Service"]["flush"]

/** Takes out of `logged` what is meant. */
const flushFrom =
  (logged: Array<Failure.Failure<unknown>>): Flush =>
  (matchers) => {
    const isMeant = (failure: Failure.Failure<unknown>): boolean =>
      matchers.length === 0 ||
      matchers.some((matcher) => Failure.find(asErrors(failure), matcher)._tag === "Some")
    const flushed = logged.filter(isMeant)
    for (const failure of flushed) logged.splice(logged.indexOf(failure), 1)
    return flushed
  }

const verdict = (failures: ReadonlyArray<Failure.Failure<unknown>>): UnflushedFailures | undefined =>
  failures.length === 0 ? undefined : new UnflushedFailures({ failures, message: complaint(failures) })

const isLooked = (entry: Logger.Options<unknown>, level: LogLevel.Severity): boolean =>
  LogLevel.isGreaterThanOrEqualTo(entry.logLevel, level)

const collect = (options: Options) =>
  Effect.gen(function* () {
    const others = yield* Logger.CurrentLoggers
    const logged: Array<Failure.Failure<unknown>> = []
    const level = options.level ?? "Warn"

    const logger = Logger.make<unknown, void>((entry) => {
      const failures = isLooked(entry, level) ? failuresOf(entry) : []
      // What is collected is either expected, or told by the failing test.
      if (failures.length > 0) logged.push(...failures)
      else others.forEach((other) => other.log(entry))
    })

    const flush = flushFrom(logged)
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const unflushed = verdict(flush([]))
        return unflushed === undefined ? Effect.void : Effect.die(unflushed)
      })
    )
    return Context.make(LoggedFailures, { flush }).pipe(Context.add(Logger.CurrentLoggers, new Set([logger])))
  })

// --- for all tests ----------------------------------------------------------------------------------------

interface Ambient {
  readonly logged: WeakMap<LeakOwner.Owner, Array<Failure.Failure<unknown>>>
}

const key = Symbol.for("spindle/testing/LoggedFailures")
const registry = globalThis as unknown as { [key]?: Ambient }

/**
 * Collects from now on, for the whole process, what the default loggers are given, for the test that logs it; they log
 * it, too. Idempotent. For setups: `spindle/testing/setup` is one.
 */
export const start = (options: Options = {}): void => {
  if (registry[key] !== undefined) return
  const { logged } = (registry[key] = { logged: new WeakMap() })
  const level = options.level ?? "Warn"
  const logger = Logger.make<unknown, void>((entry) => {
    const failures = isLooked(entry, level) ? failuresOf(entry) : []
    if (failures.length === 0) return
    const owner = LeakOwner.current()
    const known = logged.get(owner)
    if (known === undefined) logged.set(owner, failures.slice())
    else known.push(...failures)
  })
  // The set that all have who were given no loggers of their own.
  const defaults = Context.get(Context.empty(), Logger.CurrentLoggers) as Set<Logger.Logger<unknown, unknown>>
  defaults.add(logger)
}

const ambient = (owner: LeakOwner.Owner): Array<Failure.Failure<unknown>> | undefined =>
  registry[key] === undefined ? undefined : (registry[key].logged.get(owner) ?? [])

/** What an owner logged and nobody flushed, as a complaint; it is forgotten then. */
export const unflushed = (owner: LeakOwner.Owner): UnflushedFailures | undefined =>
  verdict(flushFrom(ambient(owner) ?? [])([]))

/**
 * Collects failures that are logged, by `Failure.report`, by a server, by `Effect.logError` with a cause, instead of
 * logging them. What was not flushed when the layer's scope closes is a defect there, `UnflushedFailures`: provided to a
 * test, it fails it.
 */
export const layer = (options: Options = {}): Layer.Layer<LoggedFailures> =>
  Layer.effectContext(collect(options))

/** The same for one effect, which fails so when it ends. */
export const expect: {
  (
    options?: Options
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, LoggedFailures>>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E, Exclude<R, LoggedFailures>>
} = ((first?: Effect.Effect<unknown> | Options, options?: Options) =>
  Effect.isEffect(first)
    ? Effect.provide(first, layer(options), { local: true })
    : (effect: Effect.Effect<unknown>) => Effect.provide(effect, layer(first), { local: true })) as never

/**
 * Takes out of the log the failures that are meant (all, if nothing is), and gives them in the order they were logged.
 * Matchers are those of `Failure.trap`; they look at defects, too. A defect where nothing collects.
 */
export const flushLoggedFailures = (
  ...matchers: ReadonlyArray<Failure.Matcher<unknown>>
): Effect.Effect<ReadonlyArray<Failure.Failure<unknown>>> =>
  Effect.flatMap(Effect.serviceOption(LoggedFailures), (own) => {
    if (own._tag === "Some") return Effect.succeed(own.value.flush(matchers))
    const logged = ambient(LeakOwner.current())
    return logged === undefined
      ? Effect.die(
          new TypeError(
            "nothing collects failures: provide LoggedFailures.layer(), or use spindle/testing/setup"
          )
        )
      : Effect.succeed(flushFrom(logged)(matchers))
  })
