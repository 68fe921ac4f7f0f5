/** A smaller run that fails as well: fewer faults, smaller dials, no yields put in. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { Overrides, Run } from "./Running.ts"
import { SimError } from "./SimError.ts"

export interface ShrinkOptions {
  /** Runs that may be tried. Default 200. */
  readonly triesMax?: number | undefined
}

export interface Shrunk {
  /** What makes the run smaller: `World.run(program, { seed, overrides })`. */
  readonly overrides: Overrides
  readonly run: Run
  /** Runs that were tried. */
  readonly tries: number
}

const triesMaxDefault = 200

/** What a failure is called: one with another name is another one, and no smaller version of this. */
export const nameOf = ({ exit }: Run): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  if (error instanceof SimError) {
    const { reason } = error
    return reason._tag === "InvariantBroken" ? `${reason._tag} ${reason.name}` : reason._tag
  }
  if (typeof error !== "object" || error === null) return String(error)
  return "_tag" in error ? String(error._tag) : error.constructor.name
}

/** Runs again and again, with less and less, as long as it fails in the same way. The first run must have failed. */
export const shrink = (execute: (overrides: Overrides) => Run, options: ShrinkOptions = {}): Shrunk =>
  new Shrinking(execute, options.triesMax ?? triesMaxDefault).all()

class Shrinking {
  private readonly execute: (overrides: Overrides) => Run
  private readonly triesMax: number
  private readonly failure: string | undefined
  private best: Run
  private overrides: Overrides = {}
  private tries = 0

  constructor(execute: (overrides: Overrides) => Run, triesMax: number) {
    this.execute = execute
    this.triesMax = triesMax
    this.best = execute({})
    this.failure = nameOf(this.best)
    if (this.failure === undefined) throw new TypeError("this run does not fail")
  }

  all(): Shrunk {
    for (let before = -1; before !== this.tries && this.tries < this.triesMax;) {
      const size = this.size
      this.fewerFaults()
      this.smallerDials()
      before = size === this.size ? this.tries : -1
    }
    this.attempt({ ...this.overrides, yields: false })
    return { overrides: this.overrides, run: this.best, tries: this.tries }
  }

  private get size(): number {
    const { dials, faults } = this.best.ingredients
    return faults.length + [...dials.values()].reduce((sum, { value }) => sum + value, 0)
  }

  /** Whether it fails so, too: then it is the best so far. */
  private attempt(overrides: Overrides): boolean {
    if (this.tries >= this.triesMax) return false
    this.tries++
    const run = this.execute(overrides)
    if (nameOf(run) !== this.failure) return false
    this.best = run
    this.overrides = overrides
    return true
  }

  /** Halves, quarters, ... of the faults are left out, in the end one by one (Zeller's ddmin, without its complements). */
  private fewerFaults(): void {
    const { faults } = this.best.ingredients
    if (faults.length === 0 || this.attempt({ ...this.overrides, faults: [] })) return
    let kept = faults
    for (let part = Math.ceil(kept.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
      for (let at = 0; at < kept.length;) {
        const fewer = kept.filter((_, i) => i < at || i >= at + part)
        if (this.attempt({ ...this.overrides, faults: fewer })) kept = fewer
        else at += part
      }
    }
  }

  private smallerDials(): void {
    for (const [name, { min, value }] of this.best.ingredients.dials) {
      let [low, high] = [min, value]
      // The smallest at once, otherwise by halves.
      for (let tried = min; low < high; tried = Math.floor((low + high) / 2)) {
        const dials = { ...this.overrides.dials, [name]: tried }
        if (this.attempt({ ...this.overrides, dials })) high = tried
        else low = tried + 1
      }
    }
  }
}
