/** The results of many Deferreds as one. Twisted: `DeferredList`. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Listed, ListOptions } from "./DeferredGathering.ts"
import type { Inputs } from "./DeferredMany.ts"
import { current } from "./DeferredScope.ts"

export { FirstCallback, FirstError, type Listed, type ListOptions } from "./DeferredGathering.ts"
export type { Exits, Inputs } from "./DeferredMany.ts"

/**
 * The results of all, in order, as soon as all are there: it does not fail, unless asked to. Without handles, that is at
 * once, whatever the options. Cancelling it cancels all. The same as a call: `DeferredScope.list`.
 */
export const make = <const I extends Inputs, const O extends ListOptions = {}>(
  inputs: I,
  options?: O
): Effect.Effect<Listed<I, O>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.list(inputs, options))
