/** The last words of a process that ends by an exception that nobody has caught: a callback's of foreign code. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Logs it, in the log of this context; then Node ends the process, as it does. Until the scope ends. */
export const log: Effect.Effect<void, never, Scope.Scope> = Effect.flatMap(
  Effect.context<never>(),
  (context) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const run = Effect.runSyncWith(context)
        const listener = (error: unknown, origin: string) => run(Effect.logFatal(origin, error))
        process.on("uncaughtExceptionMonitor", listener)
        return listener
      }),
      (listener) => Effect.sync(() => void process.off("uncaughtExceptionMonitor", listener))
    ).pipe(Effect.asVoid)
)
