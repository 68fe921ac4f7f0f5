/**
 * What is logged before it is known where to: a command makes what it runs, which has a name and its warnings, and only then opens the
 * log by that name.
 *
 * ```ts
 * const [app, release] = yield* LogEarly.hold(load)
 * const log = yield* openLog(app.name)
 * yield* Effect.andThen(release, run(app)).pipe(Effect.provide(log.layer))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogEvent from "./LogEvent.ts"

/**
 * What an effect logs is kept, and told, with its own times, to the loggers of whoever runs `release`. If the effect does not
 * succeed, it is told to those that were there before.
 */
export const hold = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [value: A, release: Effect.Effect<void>], E, R> =>
  Effect.suspend(() => {
    const events: Array<Logger.Options<unknown>> = []
    const keeping = Logger.make<unknown, void>((event) => void events.push(LogEvent.keep(event)))
    const release = Effect.map(Logger.CurrentLoggers, (loggers) => {
      for (const event of events.splice(0)) for (const logger of loggers) logger.log(event)
    })
    return effect.pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set([keeping])),
      Effect.onError(() => release),
      Effect.map((value) => [value, release] as const)
    )
  })
