/** An application in any program: started, then kept until somebody ends it, as signals say. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { type Signal, Signals } from "../reactor/Signals.ts"
import type { Application } from "./Application.ts"
import * as ApplicationDump from "./ApplicationDump.ts"
import * as ApplicationRun from "./ApplicationRun.ts"
import type { ConfigurationError } from "./ConfigurationError.ts"
import type { Platform } from "./Service.ts"
import type { ServiceError } from "./ServiceError.ts"

export interface RunOptions<EHook = never, RHook = never> extends ApplicationRun.Options<EHook, RHook> {
  /** Once every service is ready: tells whoever waits for it. Default: nothing. */
  readonly whenReady?: Effect.Effect<unknown, never, RHook> | undefined
  /** Whether signals are heeded. Default true. */
  readonly signals?: boolean | undefined
}

/** By which signal it was ended; `forced`: a second one came before all had stopped. */
export interface End {
  readonly signal: Signal
  readonly forced: boolean
}

const heeded: ReadonlyArray<Signal> = ["TERM", "INT", "HUP", "USR2"]

const isEnd = (signal: Signal): boolean => signal === "TERM" || signal === "INT"

/**
 * Loads the configuration, starts, and runs the application until SIGTERM or SIGINT has stopped it, which succeeds; or until it
 * cannot start, or its tree has failed; or until it is interrupted, which stops it, too. A second SIGTERM or SIGINT does not
 * wait for services that are still stopping. SIGHUP reloads: configuration, then services, then certificates; what goes
 * wrong there is logged, and nothing is dropped. SIGUSR2 has the state of all services logged.
 *
 * An application that requires more than the platform gives is refused by the compiler: see `Application.provide`.
 */
export const run = <E, R extends Platform, EHook = never, RHook = never>(
  app: Application<E, R>,
  options: RunOptions<EHook, RHook> = {}
): Effect.Effect<End, ConfigurationError | ServiceError | EHook, R | RHook | Signals> =>
  Effect.scoped(
    Effect.gen(function* () {
      const service = yield* Signals
      const signals =
        options.signals === false ? yield* Queue.unbounded<Signal>() : yield* service.subscribe(...heeded)
      const next = Queue.take(signals)
      // Not of this scope: what is told to end now is not waited for.
      const scope = yield* Scope.make()
      let forced = false
      yield* Effect.addFinalizer((exit) => (forced ? Effect.void : Scope.close(scope, exit)))
      const life = yield* Scope.provide(ApplicationRun.make(app, options), scope)

      const other = Effect.fnUntraced(function* (signal: Signal) {
        if (signal === "HUP") yield* Effect.forkIn(life.reload, scope, { startImmediately: true })
        if (signal === "USR2") {
          yield* Effect.logInfo(ApplicationDump.text(yield* life.snapshot, yield* Clock.currentTimeMillis))
        }
      })
      const end: Effect.Effect<Signal> = Effect.flatMap(next, (signal) =>
        isEnd(signal) ? Effect.succeed(signal) : Effect.andThen(other(signal), end)
      )
      const stopping = Effect.fnUntraced(function* (signal: Signal) {
        yield* Effect.logInfo(`SIG${signal}: stopping`)
        const stopped = yield* Effect.forkDetach(life.stop, { startImmediately: true })
        forced = yield* Effect.raceFirst(Effect.as(Fiber.await(stopped), false), Effect.as(end, true))
        if (forced) yield* Effect.logWarning("stopped without waiting any longer")
        return { signal, forced }
      })

      // Not raced itself: whoever loses a race is waited for, and a second signal is not heard meanwhile.
      const starting = yield* Effect.forkDetach(life.start, { startImmediately: true })
      const first = yield* Effect.raceFirst(Fiber.await(starting), end)
      if (typeof first === "string") return yield* stopping(first)
      if (Exit.isFailure(first)) return yield* Effect.failCause(first.cause)
      if (options.whenReady !== undefined) yield* options.whenReady
      return yield* stopping(yield* Effect.raceFirst(life.failed, end))
    })
  )
