/** Values of a type, by a `Schema`: JSON in the cache. What does not fit the schema, because another version stored it, is an error that says so. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Cache } from "./MemcacheCache.ts"
import { Contended, MemcacheError, Untyped } from "./MemcacheError.ts"

export interface Options {
  /** Stands before every key: `user:`. Default nothing. */
  readonly prefix?: string | undefined
  /** How long values are kept at most. Default: until there is no room. */
  readonly expiry?: Duration.Input | undefined
}

export interface Typed<A, out E> {
  readonly get: (key: string) => Effect.Effect<A | undefined, E>
  readonly getMany: (keys: Iterable<string>) => Effect.Effect<ReadonlyMap<string, A>, E>
  readonly set: (key: string, value: A) => Effect.Effect<void, E>
  readonly add: (key: string, value: A) => Effect.Effect<boolean, E>
  readonly delete: (key: string) => Effect.Effect<boolean, E>
  /**
   * Changes a value, also when others change it meanwhile: `f` gets what is there, and runs again when that is not so any more.
   * Gives what was stored. Default at most 10 times.
   */
  readonly update: (
    key: string,
    f: (value: A | undefined) => A,
    options?: { readonly attemptsMax?: number | undefined }
  ) => Effect.Effect<A, E>
  /** What is there; else what `make` gives, which is stored. */
  readonly getOrMake: <E2, R>(key: string, make: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2, R>
}

const text = new TextDecoder()

/** Values of this type in `cache`. */
export const make = <A, E>(
  cache: Cache<E>,
  schema: Schema.Codec<A, unknown>,
  options: Options = {}
): Typed<A, E | MemcacheError> => {
  const { expiry, prefix = "" } = options
  const codec = Schema.fromJsonString(Schema.toCodecJson(schema))
  const decodeText = Schema.decodeUnknownEffect(codec)
  const encodeText = Schema.encodeEffect(codec)

  const untyped =
    (operation: string, key: string, fault: "Local" | "Remote") => (cause: { readonly message: string }) =>
      new MemcacheError({
        operation,
        reason: new Untyped({
          detail: `the value of "${key}" is not of its type: ${cause.message}`,
          fault,
          cause
        })
      })
  const decode = (key: string, value: Uint8Array) =>
    Effect.mapError(decodeText(text.decode(value)), untyped("get", key, "Remote"))
  const encode = (operation: string, key: string, value: A) =>
    Effect.mapError(encodeText(value), untyped(operation, key, "Local"))

  const get = (key: string) =>
    Effect.flatMap(cache.get(prefix + key), (found): Effect.Effect<A | undefined, MemcacheError> =>
      found === undefined ? Effect.undefined : decode(key, found.value)
    )
  const set = (key: string, value: A) =>
    Effect.flatMap(encode("set", key, value), (json) => cache.set(prefix + key, json, { expiry }))
  const add = (key: string, value: A) =>
    Effect.flatMap(encode("add", key, value), (json) => cache.add(prefix + key, json, { expiry }))

  return {
    get,
    set,
    add,
    getMany: Effect.fnUntraced(function* (keys) {
      const found = new Map<string, A>()
      for (const [key, { value }] of yield* cache.getMany([...keys].map((key) => prefix + key))) {
        const own = key.slice(prefix.length)
        found.set(own, yield* decode(own, value))
      }
      return found
    }),
    delete: (key) => cache.delete(prefix + key),
    update: Effect.fnUntraced(function* (key, f, { attemptsMax = 10 } = {}) {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const found = yield* cache.gets(prefix + key)
        const after = f(found === undefined ? undefined : yield* decode(key, found.value))
        const json = yield* encode("cas", key, after)
        const isDone =
          found === undefined
            ? yield* cache.add(prefix + key, json, { expiry })
            : (yield* cache.compareAndSet(prefix + key, json, found.cas, { expiry })) === "Stored"
        if (isDone) return after
      }
      return yield* new MemcacheError({ operation: "cas", reason: new Contended({ attempts: attemptsMax }) })
    }),
    getOrMake: Effect.fnUntraced(function* (key, make) {
      const found = yield* get(key)
      if (found !== undefined) return found
      const made = yield* make
      yield* set(key, made)
      return made
    })
  }
}
