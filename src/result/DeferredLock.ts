/** One at a time, and the others in line. Twisted: `DeferredLock`. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { current, type DeferredScope } from "./DeferredScope.ts"
import { DeferredSemaphore } from "./DeferredSemaphore.ts"

export { NotAcquired } from "./DeferredSemaphore.ts"

/** A `DeferredSemaphore` of one token. */
export class DeferredLock extends DeferredSemaphore {
  /** @internal */
  constructor(scope: DeferredScope) {
    super(scope, 1)
  }

  /** Whether somebody has it. */
  get locked(): boolean {
    return this.available === 0
  }
}

export const make: Effect.Effect<DeferredLock, never, Scope.Scope> = Effect.map(
  current,
  (scope) => new DeferredLock(scope)
)
