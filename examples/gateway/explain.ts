import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** What a person can mend (a bad description, a taken port) is told in one message; a defect with its story. */
export const explain =
  (what: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tapCause(self, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`${what}: ${messageOf(cause)}`)
    )

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (Cause.hasDies(cause) || !(error instanceof Error)) return Cause.pretty(cause)
  if (error.message !== "") return error.message
  // An HTTP port that is taken: only the cause says what is wrong.
  return error.cause instanceof Error ? error.cause.message : Cause.pretty(cause)
}
