/**
 * Two other ways to keep timers in order, to compare `TimerQueue` with: a binary heap of objects with lazy deletion
 * (Twisted's), and hierarchical wheels (Varghese and Lauck's scheme 7; the Linux kernel's, Netty's and Tokio's kind).
 */

export interface Kept {
  deadline: number
  order: number
}

export interface Queue<T> {
  readonly add: (deadline: number) => T
  readonly remove: (item: T) => void
  /** Takes the earliest. */
  readonly take: () => { readonly deadline: number } | undefined
}

interface HeapItem extends Kept {
  live: boolean
}

const before = (a: Kept, b: Kept): boolean =>
  a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order)

export class BinaryHeap implements Queue<HeapItem> {
  private readonly heap: Array<HeapItem> = []
  private order = 0
  private dead = 0

  add(deadline: number): HeapItem {
    const item: HeapItem = { deadline, order: this.order++, live: true }
    const { heap } = this
    let at = heap.length
    heap.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.deadline <= deadline) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = item
    return item
  }

  remove(item: HeapItem): void {
    item.live = false
    if (++this.dead < 50 || 2 * this.dead <= this.heap.length) return
    const live = this.heap.filter((item) => item.live)
    this.heap.length = 0
    this.dead = 0
    for (const item of live) this.heap.push(item)
    for (let at = (live.length >> 1) - 1; at >= 0; at--) this.sink(at, this.heap[at]!)
  }

  take(): HeapItem | undefined {
    while (this.heap.length > 0) {
      const top = this.heap[0]!
      const last = this.heap.pop()!
      if (this.heap.length > 0) this.sink(0, last)
      if (top.live) return top
      this.dead--
    }
    return undefined
  }

  private sink(at: number, item: HeapItem): void {
    const { heap } = this
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, item)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = item
  }
}

interface WheelItem extends Kept {
  previous: WheelItem
  next: WheelItem
}

const slots = 64
const levels = 6

const ring = (): WheelItem => {
  const head = { deadline: 0, order: 0 } as WheelItem
  head.previous = head
  head.next = head
  return head
}

/** Ticks of a millisecond; items of one tick are sorted when it is reached, so that the order is exact. */
export class Wheels implements Queue<WheelItem> {
  private readonly wheels = Array.from({ length: levels * slots }, ring)
  private tick: number
  private order = 0
  private waiting = 0
  private due: Array<WheelItem> = []

  constructor(now: number) {
    this.tick = Math.floor(now)
  }

  add(deadline: number): WheelItem {
    const item = { deadline, order: this.order++ } as WheelItem
    this.place(item)
    this.waiting++
    return item
  }

  remove(item: WheelItem): void {
    item.previous.next = item.next
    item.next.previous = item.previous
    item.previous = item
    item.next = item
    this.waiting--
  }

  take(): WheelItem | undefined {
    while (this.due.length === 0 && this.waiting > 0) this.step()
    return this.due.pop()
  }

  private place(item: WheelItem): void {
    const tick = Math.floor(item.deadline)
    let level = 0
    let span = slots
    while (tick - this.tick >= span && level < levels - 1) {
      span *= slots
      level++
    }
    const head = this.wheels[level * slots + (Math.floor((tick / span) * slots) % slots)]!
    item.previous = head.previous
    item.next = head
    head.previous.next = item
    head.previous = item
  }

  private drain(slot: number): Array<WheelItem> {
    const head = this.wheels[slot]!
    const items: Array<WheelItem> = []
    for (let item = head.next; item !== head; item = item.next) items.push(item)
    head.previous = head
    head.next = head
    return items
  }

  private step(): void {
    let span = slots
    for (let level = 1; level < levels && this.tick % span === 0; level++, span *= slots) {
      for (const item of this.drain(level * slots + (Math.floor(this.tick / span) % slots))) this.place(item)
    }
    this.due = this.drain(this.tick % slots)
    this.waiting -= this.due.length
    if (this.due.length > 1) this.due.sort((a, b) => (before(a, b) ? 1 : -1))
    this.tick++
  }
}
