/** What a `TimerQueue` keeps; the fields are its own. */
export interface Queued {
  /** When it is due. Change it by `add` and `move` only. */
  deadline: number
  /** Its place among those of the same deadline. */
  order: number
  /** The order number of its entry in the heap; `noEntry` when it has none. */
  entry: number
}

export const noEntry = -1

const children = 4
const capacityMin = 64
/** Fewer stale entries than this are not worth a compaction. */
const staleMin = 64

/**
 * Deadlines in order, equal ones in the order in which they were given: a heap of four children per node, whose keys
 * lie apart from what they belong to in arrays of numbers. Taking one out of the middle only marks its entry as
 * stale, and moving one to a later deadline only writes that down: the heap hears of both when the entry gets to the
 * top. When more than half of the entries are stale they are swept out, so that at most as many are kept as are live.
 *
 * Why a heap: `bench/timers.ts`.
 */
export class TimerQueue<T extends Queued> {
  private deadlines = new Float64Array(capacityMin)
  private orders = new Float64Array(capacityMin)
  private readonly items: Array<T> = []
  private stale = 0
  private orderNext = 0

  /** How many are waiting. */
  get size(): number {
    return this.items.length - this.stale
  }

  /** What is added or moved from now on has this order, or a higher one. */
  get orderLimit(): number {
    return this.orderNext
  }

  /** Puts it behind all those of the same deadline. */
  add(item: T): void {
    const order = this.orderNext++
    item.order = order
    item.entry = order
    this.push(item)
  }

  /** Gives it another deadline, behind all those of the same. */
  move(item: T, deadline: number): void {
    const earlier = deadline < item.deadline
    item.deadline = deadline
    item.order = this.orderNext++
    if (!earlier) return
    item.entry = item.order
    this.push(item)
    this.grewStale()
  }

  remove(item: T): void {
    item.entry = noEntry
    this.grewStale()
  }

  /** The earliest deadline; infinity when none waits. */
  get next(): number {
    return this.settle() ? this.deadlines[0]! : Number.POSITIVE_INFINITY
  }

  /** Takes the earliest, if it is due by `now` and its order is below `orderLimit`. */
  take(now: number, orderLimit: number): T | undefined {
    if (!this.settle() || this.deadlines[0]! > now || this.orders[0]! >= orderLimit) return undefined
    const item = this.items[0]!
    item.entry = noEntry
    this.dropTop()
    return item
  }

  /** All that wait, in their order. */
  inOrder(): Array<T> {
    return this.items
      .filter((item, at) => item.entry === this.orders[at])
      .sort((a, b) => (a.deadline === b.deadline ? a.order - b.order : a.deadline < b.deadline ? -1 : 1))
  }

  /** Takes all of them out. */
  clear(): Array<T> {
    const waiting = this.inOrder()
    for (const item of waiting) item.entry = noEntry
    this.items.length = 0
    this.stale = 0
    this.resize(capacityMin)
    return waiting
  }

  private push(item: T): void {
    const { items } = this
    let at = items.length
    if (at === this.deadlines.length) this.resize(2 * at)
    items.push(item)
    const { deadlines, orders } = this
    const { deadline } = item
    while (at > 0) {
      const parent = Math.trunc((at - 1) / children)
      // Whoever came before stays before.
      if (deadlines[parent]! <= deadline) break
      deadlines[at] = deadlines[parent]!
      orders[at] = orders[parent]!
      items[at] = items[parent]!
      at = parent
    }
    deadlines[at] = deadline
    orders[at] = item.entry
    items[at] = item
  }

  /** Sees to it that the top is live, and where it should be. False: there is none. */
  private settle(): boolean {
    const { items } = this
    while (items.length > 0) {
      const top = items[0]!
      if (top.entry !== this.orders[0]) {
        this.stale--
        this.dropTop()
      } else if (top.entry === top.order) {
        return true
      } else {
        // It was moved to a later deadline.
        top.entry = top.order
        this.sink(0, top)
      }
    }
    return false
  }

  private dropTop(): void {
    const { items } = this
    const last = items.pop()!
    const at = items.length
    if (at === 0) return
    this.sink(0, last, this.deadlines[at], this.orders[at])
    if (8 * at < this.deadlines.length && this.deadlines.length > capacityMin) this.resize(2 * at)
  }

  /** Puts an entry into the hole at `at`, or below it. */
  private sink(at: number, item: T, deadline = item.deadline, order = item.entry): void {
    const { deadlines, items, orders } = this
    const end = items.length
    while (true) {
      const first = children * at + 1
      if (first >= end) break
      const last = Math.min(first + children, end)
      let least = first
      let leastDeadline = deadlines[first]!
      for (let child = first + 1; child < last; child++) {
        const other = deadlines[child]!
        if (other > leastDeadline || (other === leastDeadline && orders[child]! > orders[least]!)) continue
        least = child
        leastDeadline = other
      }
      if (leastDeadline > deadline || (leastDeadline === deadline && orders[least]! > order)) break
      deadlines[at] = leastDeadline
      orders[at] = orders[least]!
      items[at] = items[least]!
      at = least
    }
    deadlines[at] = deadline
    orders[at] = order
    items[at] = item
  }

  private grewStale(): void {
    this.stale++
    if (this.stale >= staleMin && 2 * this.stale > this.items.length) this.compact()
  }

  private compact(): void {
    const { deadlines, items, orders } = this
    let live = 0
    for (let at = 0; at < items.length; at++) {
      const item = items[at]!
      if (item.entry !== orders[at]) continue
      item.entry = item.order
      deadlines[live] = item.deadline
      orders[live] = item.order
      items[live++] = item
    }
    items.length = live
    this.stale = 0
    for (let at = Math.floor((live - 2) / children); at >= 0; at--) this.sink(at, items[at]!)
    if (4 * live < deadlines.length) this.resize(2 * live)
  }

  private resize(capacity: number): void {
    const size = Math.max(capacityMin, capacity)
    const deadlines = new Float64Array(size)
    const orders = new Float64Array(size)
    deadlines.set(this.deadlines.subarray(0, Math.min(size, this.items.length)))
    orders.set(this.orders.subarray(0, Math.min(size, this.items.length)))
    this.deadlines = deadlines
    this.orders = orders
  }
}
