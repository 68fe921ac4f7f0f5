/** Handles that are linked through themselves: to be in a list costs them three fields, and to leave it nothing to speak of. */
import type { AnyDeferred } from "./DeferredDelivery.ts"

/** In the order in which they came; a handle is in one list at most. */
export class HandleList {
  private newest: AnyDeferred | undefined
  oldest: AnyDeferred | undefined
  size = 0

  add(handle: AnyDeferred): void {
    handle.list = this
    handle.older = this.newest
    if (this.newest === undefined) this.oldest = handle
    else this.newest.newer = handle
    this.newest = handle
    this.size++
  }

  /** It is in this list. */
  remove(handle: AnyDeferred): void {
    const { newer, older } = handle
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    handle.list = undefined
    handle.newer = undefined
    handle.older = undefined
    this.size--
  }

  newestFirst(): Array<AnyDeferred> {
    const handles: Array<AnyDeferred> = []
    for (let handle = this.newest; handle !== undefined; handle = handle.older) handles.push(handle)
    return handles
  }
}
