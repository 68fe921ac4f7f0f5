import * as Effect from "effect/Effect"
import type * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

/** As `Effect.scoped`; but an end of the scope that takes longer than `limit` is left to itself. */
export const boundedScope = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  limit: (exit: Exit.Exit<A, E>) => Duration.Input
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Scope.make(), (scope) =>
    Effect.onExit(Scope.provide(effect, scope), (exit) =>
      Effect.flatMap(Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true }), (closing) =>
        Effect.interruptible(Effect.timeoutOption(Fiber.await(closing), limit(exit)))
      )
    )
  )
