/** What can be wrong with the use of a `Deferred`. Errors of the family's other members stand beside them. */
import * as Data from "effect/Data"

const indented = (stack: string): string => stack.replaceAll(/^\s*/gm, "  ")

/**
 * A second result. The first one stands; this one is dropped. Twisted: `AlreadyCalledError`.
 *
 * `madeAt` and `firedAt` (stacks) are known where `Deferred.Debugging` was on.
 */
export class AlreadyFired extends Data.TaggedError("AlreadyFired")<{
  readonly madeAt: string | undefined
  readonly firedAt: string | undefined
}> {
  override get message(): string {
    if (this.firedAt === undefined) return "this Deferred was fired before (Deferred.Debugging tells where)"
    const made = this.madeAt === undefined ? "" : `; it was made\n${indented(this.madeAt)}`
    return `this Deferred was fired before\n${indented(this.firedAt)}${made}`
  }
}

/**
 * What a callback returned waits for that callback's own handle, so neither would ever have a result. It is a defect
 * (`Cause.Die`) of the handle, which ends so. Twisted waits for ever.
 */
export class SelfChained extends Data.TaggedError("SelfChained")<{}> {
  override get message(): string {
    return "a Deferred waits for itself: what its callback returned depends on its own result"
  }
}
