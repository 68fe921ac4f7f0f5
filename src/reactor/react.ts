/** The main function of a program, and how the process ends with it. Twisted: `task.react`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { type Signal, Signals } from "./Signals.ts"

/**
 * Ends the program with this exit code, and nothing logged. From 0 to 255; another number is 1. `NodeRuntime.runMain`
 * understands it, too. Twisted: `SystemExit`.
 */
export class ExitCode extends Data.TaggedError("ExitCode")<{ readonly code: number }> {
  override get message(): string {
    return `exit code ${this.code}`
  }
  override readonly [Runtime.errorReported] = false
  override get [Runtime.errorExitCode](): number {
    return Number.isInteger(this.code) && this.code >= 0 && this.code <= 255 ? this.code : 1
  }
}

/** Their numbers, the same on every system. */
const numberOf = { INT: 2, TERM: 15 } as const

const codeOfSignal = (signal: Signal): number => 128 + numberOf[signal === "INT" ? "INT" : "TERM"]

const logged = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError("main function encountered error", cause)

const codeOf = (cause: Cause.Cause<unknown>): Effect.Effect<number> => {
  // Nobody was told to end it, and it has nothing to say: as `NodeRuntime.runMain`.
  if (Cause.hasInterruptsOnly(cause)) return Effect.succeed(codeOfSignal("INT"))
  const error = Cause.squash(cause)
  const code = Runtime.getErrorExitCode(error)
  return Runtime.getErrorReported(error) ? Effect.as(logged(cause), code) : Effect.succeed(code)
}

/**
 * Runs `main` in a scope of its own, and gives the exit code: 0; 1, the failure logged; that of an `ExitCode`; or, when SIGINT
 * or SIGTERM comes, 128 and the signal's number, after `main` was interrupted and has cleaned up. A second signal does
 * not wait for that.
 */
export const react = <A, E, R>(
  main: Effect.Effect<A, E, R>
): Effect.Effect<number, never, Signals | Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const signals = yield* Signals
      const queue = yield* signals.subscribe("INT", "TERM")
      const signal = Queue.take(queue)
      let abandoned = false
      return yield* Effect.acquireUseRelease(
        // Not a child: one that does not end would be waited for.
        Effect.forkDetach(Effect.scoped(main), { startImmediately: true }),
        Effect.fnUntraced(function* (fiber) {
          const first = yield* Effect.raceFirst(Fiber.await(fiber), signal)
          if (typeof first !== "string") return Exit.isSuccess(first) ? 0 : yield* codeOf(first.cause)
          const stopped = Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
          const last = yield* Effect.raceFirst(stopped, signal)
          if (typeof last === "string") abandoned = true
          else if (Exit.isFailure(last) && !Cause.hasInterruptsOnly(last.cause)) yield* logged(last.cause)
          return codeOfSignal(first)
        }),
        (fiber) => (abandoned ? Effect.void : Fiber.interrupt(fiber))
      )
    })
  )
