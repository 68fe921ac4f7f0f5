/**
 * Where in a program a line was logged: a dotted name, `web.http`, which stands in every line and by which levels are set.
 * Twisted: `Logger(namespace)`.
 *
 * It is an annotation of Effect's log, so it holds for all that an effect logs, libraries and forked fibers included.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as References from "effect/References"

/** The name of the annotation. */
export const key = "namespace"

/** Whatever else the annotation may be, this is text. */
const textOf = (annotation: unknown): string => (typeof annotation === "string" ? annotation : "")

/** The namespace of what a fiber logs now; `""` if it has none. */
export const ofFiber = (fiber: Fiber.Fiber<unknown, unknown>): string =>
  textOf(fiber.getRef(References.CurrentLogAnnotations)[key])

/** The namespace here; `""` if there is none. */
export const current: Effect.Effect<string> = Effect.withFiber((fiber) => Effect.succeed(ofFiber(fiber)))

/**
 * What the effect logs has this namespace, whatever it was outside: a library's lines are found under the library's name,
 * whoever calls it.
 */
const within: {
  (namespace: string): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, namespace: string): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(effect: Effect.Effect<A, E, R>, namespace: string): Effect.Effect<A, E, R> =>
  Effect.annotateLogs(effect, key, namespace)
)

export { within as in }

/** What the effect logs has the namespace from outside, and `name` below it: `http` within `web` is `web.http`. */
export const below: {
  (name: string): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(effect: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R> =>
  Effect.flatMap(current, (outer) => within(effect, outer === "" ? name : `${outer}.${name}`))
)
