/** What an application asks for, and what it gets: types alone, for whoever need not load configurations. */
import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/** `Config`s by name; records in records, too. The names are the application's own: the keys are those of the `Config`s. */
export interface Shape {
  readonly [name: string]: Config.Config<unknown> | Shape
}

/** What a configuration of this shape gives. */
export type Value<S> = S extends Config.Config<infer A> ? A : { readonly [K in keyof S]: Value<S[K]> }

/** A configuration that may change while the application runs: by a reload. */
export interface Live<out A> {
  /** What holds now. */
  readonly get: Effect.Effect<A>
  /** What holds now, and then what every reload has read, be it the same. */
  readonly changes: Stream.Stream<A>
}
