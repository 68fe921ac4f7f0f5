/** Failures of which it is not known yet whether anybody will look at them. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import { type Fate, captureOf, isNews, newsOf } from "./FailureCapture.ts"

/** Failures that are kept until then; of more, only the number is. */
const failuresMax = 1000

const partOf = (cause: Cause.Cause<unknown>, fate: Fate): Cause.Cause<unknown> =>
  Cause.fromReasons(
    cause.reasons.filter((reason) => reason._tag === "Interrupt" || captureOf(reason)?.fate === fate)
  )

/**
 * Those of one scope. A failure is dropped from it as soon as somebody looks at it, so that what a long scope holds is
 * what will be reported.
 */
export class Unhandled {
  readonly #waiting = new Map<Fate, Cause.Cause<unknown>>()
  #more = 0
  #closed = false

  /** Failures that nobody has looked at so far. */
  get size(): number {
    return this.#waiting.size + this.#more
  }

  /** Keeps an eye on it from now on, unless it was reported, or the scope is closed. Merged failures are kept apart. */
  add(cause: Cause.Cause<unknown>): void {
    if (this.#closed) return
    const fates = new Set(cause.reasons.map((reason) => captureOf(reason)?.fate))
    for (const fate of fates) {
      if (fate === undefined || this.#waiting.has(fate)) continue
      const news = newsOf(fates.size === 1 ? cause : partOf(cause, fate))
      if (news !== undefined) this.#wait(fate, news)
    }
  }

  #wait(fate: Fate, cause: Cause.Cause<unknown>): void {
    fate.seen = false
    const isKept = this.#waiting.size < failuresMax
    if (isKept) this.#waiting.set(fate, cause)
    else this.#more++
    const before = fate.onSeen
    fate.onSeen = () => {
      before?.()
      if (isKept) this.#waiting.delete(fate)
      else this.#more--
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
