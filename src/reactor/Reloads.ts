/**
 * What a program can read again while it runs, without interrupting anything: certificates of its servers, configuration of its parts.
 * Whoever holds such a thing registers it; who is told to reload (SIGHUP, a command) asks for all of it.
 *
 * ```ts
 * yield* Signals.handle(["HUP"], () => Effect.catch(Reloads.reload, (error) => Effect.logError(error.message)))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Some of it could not be read again, and stays what it was. The rest is new. */
export class ReloadError extends Data.TaggedError("ReloadError")<{
  readonly failures: ReadonlyArray<{
    readonly what: string
    readonly detail: string
    readonly cause: unknown
  }>
}> {
  override get message(): string {
    return this.failures.map(({ detail, what }) => `${what}: ${detail}`).join("; ")
  }
}

export interface Registry {
  /**
   * Has `reload` done at each reload until the scope ends. What is registered several times for the same `subject` is done once.
   * It either replaces what there is, or fails and leaves it alone; its error's message goes to whoever asked.
   */
  readonly register: (
    subject: object,
    what: string,
    reload: Effect.Effect<void, unknown>
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Tries everything, in the order in which it was registered, one after another; then fails with all that failed. */
  readonly reload: Effect.Effect<void, ReloadError>
}

interface Entry {
  readonly what: string
  readonly reload: Effect.Effect<void, unknown>
  users: number
}

/** A registry of its own, for a part of a program. */
export const make = (): Registry => {
  const entries = new Map<object, Entry>()
  const enter = (subject: object, what: string, reload: Effect.Effect<void, unknown>): void => {
    const known = entries.get(subject)
    if (known === undefined) entries.set(subject, { what, reload, users: 1 })
    else known.users++
  }
  const leave = (subject: object): void => {
    const known = entries.get(subject)
    if (known !== undefined && --known.users === 0) entries.delete(subject)
  }
  return {
    register: (subject, what, reload) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => enter(subject, what, reload)),
          () => Effect.sync(() => leave(subject))
        )
      ),
    reload: Effect.gen(function* () {
      const failures: Array<{ what: string; detail: string; cause: unknown }> = []
      const registered = [...entries.values()]
      for (const { reload, what } of registered) {
        yield* Effect.catchCause(reload, (cause) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
          const error = Cause.squash(cause)
          const isTold = typeof error === "object" && error !== null && "message" in error
          const detail = isTold ? String(error.message) : String(error)
          failures.push({ what, detail, cause: error })
          return Effect.void
        })
      }
      if (failures.length > 0) return yield* new ReloadError({ failures })
    })
  }
}

/** Where things register. Default: one for the whole program. */
export const Reloads: Context.Reference<Registry> = Context.Reference("spindle/reactor/Reloads", {
  defaultValue: make
})

/** Reads everything again that is registered. */
export const reload: Effect.Effect<void, ReloadError> = Effect.flatMap(Reloads, ({ reload }) => reload)
