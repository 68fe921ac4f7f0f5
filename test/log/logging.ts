/** A logger under test, and what it gave. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type { LogObserver } from "../../src/log/LogObserver.ts"

/** Runs an effect whose log goes there alone, all levels of it. */
export const withLoggers =
  (...loggers: ReadonlyArray<LogObserver>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    effect.pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set(loggers)),
      Effect.provideService(References.MinimumLogLevel, "All")
    )

/** What the format makes of all that an effect logs. */
export const linesOf = <A, E, R>(format: Logger.Logger<unknown, string>, effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const collect = Logger.make<unknown, void>((options) => void lines.push(format.log(options)))
    return Effect.as(withLoggers(collect)(effect), lines)
  })

/** Text that tries to be more than a line, or to steer a terminal. */
export const hostile =
  'a\n2020-01-01T00:00:00+0000 [forged#info] b\r\n<0>c\r\x1b[2J\x07\x9b31m\u2028\u202e\u0085\ud800\t{"time":1}'

/** All that a line may be made of, once tabs and line ends that fold it are gone. */
export const isHarmless = (line: string): boolean => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(line)
