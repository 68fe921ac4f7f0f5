/**
 * What a callback may give back, and what becomes of it. One conditional type instead of overloads: an overload is
 * chosen for the whole of `condition ? effect : value`, and then lies about half of it.
 *
 * | a callback returns | value | error |
 * | --- | --- | --- |
 * | a plain value | it | none |
 * | a `Deferred<B, E>` | `B`, when it has it | `E` |
 * | an `Effect<B, E>`, so also an `Exit`, or a tagged error | `B` | `E` |
 * | a promise of `B` | `B` | `Cause.UnknownError` |
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type { Variance } from "./DeferredCell.ts"

type IsAny<X> = 0 extends 1 & X ? true : false

/** The value that comes of `X`. */
export type Value<X> =
  IsAny<X> extends true
    ? X
    : X extends Variance<infer A, unknown>
      ? A
      : X extends Effect.Effect<infer A, unknown, unknown>
        ? A
        : X extends PromiseLike<unknown>
          ? Awaited<X>
          : X

/** The error that may come of `X`. Of `unknown` anything may come. */
export type Error<X> =
  IsAny<X> extends true
    ? never
    : unknown extends X
      ? unknown
      : X extends Variance<unknown, infer E>
        ? E
        : X extends Effect.Effect<unknown, infer E, unknown>
          ? E
          : X extends PromiseLike<unknown>
            ? Cause.UnknownError
            : never

type Services<X> =
  IsAny<X> extends true ? never : X extends Effect.Effect<unknown, unknown, infer R> ? R : never

/**
 * Refuses an effect that still needs services: a callback runs when its result comes, and nobody is there then to
 * provide them. Take them first (`Effect.context`), and `Effect.provideContext` what is returned.
 */
export type Provided<X> = [Services<X>] extends [never]
  ? unknown
  : { readonly "this effect needs services": Services<X> }

/** The tags of the tagged ones among the errors. */
export type Tags<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : never
