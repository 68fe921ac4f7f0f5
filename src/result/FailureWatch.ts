/** Failures of which it is not known yet whether anybody will look at them. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import { captureOf, isNews } from "./FailureCapture.ts"

/** Failures that are kept until then; of more, only the number is. */
const failuresMax = 1000

/**
 * Those of one scope. A failure is dropped from it as soon as somebody looks at it, so that what a long scope holds is
 * what will be reported.
 */
export class Unhandled {
  readonly #waiting = new Map<object, Cause.Cause<unknown>>()
  #more = 0
  #closed = false

  /** Failures that nobody has looked at so far. */
  get size(): number {
    return this.#waiting.size + this.#more
  }

  /** Keeps an eye on it from now on, unless it was reported, or the scope is closed. */
  add(cause: Cause.Cause<unknown>): void {
    const fate = cause.reasons.map((reason) => captureOf(reason)?.fate).find((fate) => fate !== undefined)
    if (this.#closed || fate === undefined || !cause.reasons.some(isNews)) return
    if (this.#waiting.has(fate)) return
    fate.seen = false
    if (this.#waiting.size >= failuresMax) {
      this.#more++
      return
    }
    this.#waiting.set(fate, cause)
    const before = fate.onSeen
    fate.onSeen = () => {
      before?.()
      this.#waiting.delete(fate)
    }
  }

  /** Ends it: what nobody has looked at, in order, and how many more there were. */
  close(): { readonly causes: ReadonlyArray<Cause.Cause<unknown>>; readonly more: number } {
    this.#closed = true
    const causes = [...this.#waiting.values()].filter((cause) => cause.reasons.some(isNews))
    this.#waiting.clear()
    return { causes, more: this.#more }
  }
}

/** Where failures are noted that become values: `undefined`, unless `reportUnhandled` provides it. */
export const CurrentUnhandled: Context.Reference<Unhandled | undefined> = Context.Reference(
  "spindle/result/Failure/CurrentUnhandled",
  { defaultValue: () => undefined as Unhandled | undefined }
)
