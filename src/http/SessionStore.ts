/** Where sessions are kept: texts by key, until a time. Keys are hashes of what clients have: who reads the store can be nobody by it. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BackingPersistence } from "effect/persistence/Persistence"
import type * as Scope from "effect/Scope"

export interface SessionStore {
  /** `undefined`: not there, or expired. */
  readonly get: (key: string) => Effect.Effect<string | undefined>
  /** `expiresAtMillis`: since 1970; it may be forgotten then. */
  readonly set: (key: string, value: string, expiresAtMillis: number) => Effect.Effect<void>
  readonly remove: (key: string) => Effect.Effect<void>
}

export interface MemoryOptions {
  /** More push out what was written longest ago. Default 10,000. */
  readonly sessionsMax?: number | undefined
}

interface Kept {
  readonly value: string
  readonly expiresAtMillis: number
}

/** In this process: gone with it, and not shared by several. */
export const memory = ({ sessionsMax = 10_000 }: MemoryOptions = {}): SessionStore => {
  const kept = new Map<string, Kept>()
  return {
    get: (key) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const found = kept.get(key)
        if (found === undefined) return undefined
        if (found.expiresAtMillis > now) return found.value
        kept.delete(key)
        return undefined
      }),
    set: (key, value, expiresAtMillis) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        kept.delete(key)
        kept.set(key, { value, expiresAtMillis })
        // The oldest come first; those that have expired go with them.
        for (const [oldest, { expiresAtMillis }] of kept) {
          if (kept.size <= sessionsMax && expiresAtMillis > now) break
          kept.delete(oldest)
        }
      }),
    remove: (key) => Effect.sync(() => void kept.delete(key))
  }
}

export interface PersistedOptions {
  /** What its keys are told apart from others by. Default `sessions`. */
  readonly storeId?: string | undefined
}

/**
 * In a database, so that sessions survive a restart and are shared by several processes: whatever Effect's `BackingPersistence` is over, as
 * `Persistence.layerBackingSql` (any SQL client: table `effect_persistence`, emptied of what has expired every 5 minutes),
 * `layerBackingRedis`, or `layerBackingKvs` (a `KeyValueStore`: files). A database that cannot be asked is a defect: 500.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import { Sessions, SessionStore } from "spindle/http"
 *
 * export const sessions = Effect.map(SessionStore.persisted(), (store) =>
 *   Sessions.stored({ schema: Schema.Struct({ user: Schema.String }), store })
 * )
 * ```
 */
export const persisted = Effect.fnUntraced(function* ({
  storeId = "sessions"
}: PersistedOptions = {}): Effect.fn.Return<SessionStore, never, BackingPersistence | Scope.Scope> {
  const store = yield* (yield* BackingPersistence).make(storeId)
  return {
    get: (key) =>
      Effect.map(Effect.orDie(store.get(key)), (kept) => {
        const { text } = (kept ?? {}) as { readonly text?: unknown }
        return typeof text === "string" ? text : undefined
      }),
    set: (key, text, expiresAtMillis) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.orDie(
          expiresAtMillis > now
            ? store.set(key, { text }, Duration.millis(expiresAtMillis - now))
            : store.remove(key)
        )
      ),
    remove: (key) => Effect.orDie(store.remove(key))
  }
})
