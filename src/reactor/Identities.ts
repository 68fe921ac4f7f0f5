/** Identities that change while servers show them. `NodeIdentities.directory` is one that follows files. */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Identity, IdentitySource } from "./Tls.ts"

/** Identities could not be loaded. */
export class IdentitiesError extends Data.TaggedError("IdentitiesError")<{
  /** Where from: a directory. */
  readonly place: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `no identities from ${this.place}: ${this.detail}`
  }
}

/** A source whose content the program replaces. */
export interface Replaceable extends IdentitySource {
  /** What handshakes get that begin from now on. */
  readonly replace: (identities: Identity | ReadonlyArray<Identity>) => Effect.Effect<void>
}

/** A source that holds what it was last given. */
export const make = (initial: Identity | ReadonlyArray<Identity>): Effect.Effect<Replaceable> =>
  Effect.sync(() => {
    let current = listOf(initial)
    return {
      identities: Effect.sync(() => current),
      replace: (identities) =>
        Effect.sync(() => {
          current = listOf(identities)
        })
    }
  })

const listOf = (identities: Identity | ReadonlyArray<Identity>): ReadonlyArray<Identity> =>
  "certificate" in identities ? [identities] : identities

export interface Rescanned {
  /** At most so often is `load` run again: by the handshake that asks then; others meanwhile get what there is. */
  readonly rescanInterval: Duration.Input
}

/**
 * A source that loads now, and again when a handshake asks after `rescanInterval`. There is no fiber behind it. A
 * later load that fails is logged at level Warning (once, until one succeeds), and what was there before stays.
 */
export const rescanned = <E>(
  load: Effect.Effect<ReadonlyArray<Identity>, E>,
  options: Rescanned
): Effect.Effect<IdentitySource, E> =>
  Effect.gen(function* () {
    const interval = Duration.toMillis(options.rescanInterval)
    let current = yield* load
    let lookedAt = yield* Clock.currentTimeMillis
    let looking = false
    let failing = false
    const look = Effect.suspend(() => {
      looking = true
      return load
    }).pipe(
      Effect.matchCauseEffect({
        onSuccess: (identities) =>
          Effect.sync(() => {
            failing = false
            current = identities
          }),
        onFailure: (cause) =>
          Effect.suspend(() => {
            if (failing) return Effect.void
            failing = true
            return Effect.logWarning("the identities could not be loaded again; those there are stay", cause)
          })
      }),
      Effect.ensuring(
        Effect.sync(() => {
          looking = false
        })
      )
    )
    const identities = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      // A clock that was set back must not stop it for long.
      if (looking || Math.abs(now - lookedAt) < interval) return Effect.succeed(current)
      lookedAt = now
      return Effect.map(look, () => current)
    })
    return { identities }
  })
