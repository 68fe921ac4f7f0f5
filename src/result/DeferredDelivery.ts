/** How results travel: from a handle to those who wait for it, and on from there, without recursion. */
import type * as Exit from "effect/Exit"
import type { DeferredCell } from "./DeferredCell.ts"

export type AnyDeferred = DeferredCell<unknown, unknown>
export type AnyExit = Exit.Exit<unknown, unknown>

/** One who waits for a result; a link in the list of those who do. */
export interface Listener {
  /** Whether a failure is in good hands with it. */
  readonly looks: boolean
  /** The handle that will have a result because of this one. */
  readonly leadsTo: AnyDeferred | undefined
  /** Another such handle. */
  readonly alsoLeadsTo: AnyDeferred | undefined
  before: Listener | undefined
  after: Listener | undefined
  /** Takes the result; may give a handle that has one now, and has listeners. */
  receive(exit: AnyExit): AnyDeferred | undefined
}

/** A function that waits: of a fiber, or of something else that is no handle. */
export class Waiter implements Listener {
  readonly looks = true
  readonly leadsTo = undefined
  readonly alsoLeadsTo = undefined
  before: Listener | undefined = undefined
  after: Listener | undefined = undefined
  private readonly told: (exit: AnyExit) => void

  constructor(told: (exit: AnyExit) => void) {
    this.told = told
  }

  receive(exit: AnyExit): undefined {
    this.told(exit)
  }
}

/** Callbacks within callbacks run on the stack this deep, and after each other from there on. */
const depthMax = 100
let depth = 0
/** Handles with a result whose listeners have not all been told. */
const ready: Array<AnyDeferred> = []

/**
 * Tells the listeners of a handle, and those of the handles that have a result in consequence: each listener's
 * consequences before the next listener. All is told when it returns, unless it is called from too deep within itself:
 * then the delivery around it does it.
 */
export const deliver = (settled: AnyDeferred): void => {
  if (depth >= depthMax) return postpone(settled)
  const base = ready.length
  let next: AnyDeferred | undefined = settled
  let thrown: { readonly error: unknown } | undefined
  depth++
  while (next !== undefined) {
    let consequence: AnyDeferred | undefined
    try {
      const listener = next.shift()
      if (listener !== undefined) {
        if (next.first !== undefined) ready.push(next)
        consequence = listener.receive(next.exit!)
      }
    } catch (error) {
      // An observer of a fiber has thrown, or the stack has ended: the others are told.
      thrown ??= { error }
    }
    next = consequence ?? (ready.length > base ? ready.pop() : undefined)
  }
  depth--
  if (thrown !== undefined) throw thrown.error
}

/** Lets the delivery that is going on tell the listeners of this handle, too. */
export const postpone = (settled: AnyDeferred): void => {
  ready.push(settled)
}

/**
 * Whether `handle` waits for `target`, so that `target` may not wait for it: it is looked for among all that wait for
 * `target`. In step with that it goes up from `handle`, to what nothing is waited for: a new link costs no more than the
 * smaller of the two chains that it joins, so that n links in any order cost n log n together.
 */
export const waitsFor = (handle: AnyDeferred, target: AnyDeferred): boolean => {
  if (handle === target) return true
  let up: AnyDeferred | undefined = handle
  const down = target.first === undefined ? [] : [target.first]
  for (let listener = down.pop(); listener !== undefined; listener = down.pop()) {
    if (up !== undefined) {
      // Above a handle that waits for many there is no one way up.
      if (up.source === undefined && !up.waitsForMany) return false
      up = up.source
    }
    if (listener.after !== undefined) down.push(listener.after)
    const { alsoLeadsTo, leadsTo } = listener
    if (leadsTo === handle || alsoLeadsTo === handle) return true
    if (leadsTo?.first !== undefined) down.push(leadsTo.first)
    if (alsoLeadsTo?.first !== undefined) down.push(alsoLeadsTo.first)
  }
  return false
}
