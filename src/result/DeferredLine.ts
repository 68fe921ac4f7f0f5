/** Those who wait in line for something, each with a handle: first come, first served; who is cancelled leaves. */
import type { Fireable } from "./DeferredFireable.ts"
import type { DeferredScope } from "./DeferredScope.ts"
import { type Linked, LinkedList } from "./LinkedList.ts"

interface Place<A, E> extends Linked<Place<A, E>> {
  handle: Fireable<A, E> | undefined
}

export class DeferredLine<in out A, in out E = never> {
  private readonly scope: DeferredScope
  private readonly places = new LinkedList<Place<A, E>>()

  constructor(scope: DeferredScope) {
    this.scope = scope
  }

  /** How many wait. */
  get length(): number {
    return this.places.size
  }

  /** A place at the end. In a scope that has ended there is none: the handle is cancelled already. */
  join(): Fireable<A, E> {
    const place: Place<A, E> = { handle: undefined, list: undefined, older: undefined, newer: undefined }
    const handle = this.scope.make<A, E>({ canceller: () => void this.places.remove(place) })
    if (handle.fired) return handle
    place.handle = handle
    this.places.append(place)
    return handle
  }

  /** Whose turn it is; it is in line no more. */
  shift(): Fireable<A, E> | undefined {
    return this.places.shift()?.handle
  }
}
