/** Those who wait in line for something, each with a handle: first come, first served; who is cancelled leaves. */
import type { Fireable } from "./DeferredFireable.ts"
import type { DeferredScope } from "./DeferredScope.ts"

interface Place<A, E> {
  handle: Fireable<A, E> | undefined
  before: Place<A, E> | undefined
  after: Place<A, E> | undefined
}

export class DeferredLine<in out A, in out E = never> {
  private readonly scope: DeferredScope
  private first: Place<A, E> | undefined
  private last: Place<A, E> | undefined
  /** How many wait. */
  length = 0

  constructor(scope: DeferredScope) {
    this.scope = scope
  }

  /** A place at the end. In a scope that has ended there is none: the handle is cancelled already. */
  join(): Fireable<A, E> {
    const place: Place<A, E> = { handle: undefined, before: this.last, after: undefined }
    const handle = this.scope.make<A, E>({ canceller: () => this.leave(place) })
    if (handle.fired) return handle
    place.handle = handle
    if (this.last === undefined) this.first = place
    else this.last.after = place
    this.last = place
    this.length++
    return handle
  }

  /** Whose turn it is; it is in line no more. */
  shift(): Fireable<A, E> | undefined {
    const place = this.first
    if (place === undefined) return undefined
    const { handle } = place
    this.leave(place)
    return handle
  }

  private leave(place: Place<A, E>): void {
    const { after, before } = place
    place.handle = undefined
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    this.length--
  }
}
