/** Where sessions are kept: texts by key, until a time. Keys are hashes of what clients have: who reads the store can be nobody by it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

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
