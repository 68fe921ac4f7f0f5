import type { Machine } from "./Machine.ts"

/** Something that will happen, unless it is taken back. */
export class Moment {
  readonly at: number
  /** Who is first of those at one time: the machine's turn, then the order of planning. */
  readonly turn: number
  readonly order: number
  readonly machine: Machine
  readonly happen: () => void
  /** Its place in the heap; -1 when it is in none. */
  place = -1
  /** Taken back. */
  isOff = false

  constructor(at: number, turn: number, order: number, machine: Machine, happen: () => void) {
    this.at = at
    this.turn = turn
    this.order = order
    this.machine = machine
    this.happen = happen
  }
}

/** What will happen, in its order: a binary heap. */
export class Timeline {
  private readonly heap: Array<Moment> = []

  get size(): number {
    return this.heap.length
  }

  get first(): Moment | undefined {
    return this.heap[0]
  }

  add(moment: Moment): void {
    this.heap.push(moment)
    this.rise(this.heap.length - 1, moment)
  }

  remove(moment: Moment): void {
    const { place } = moment
    if (place < 0) return
    moment.place = -1
    const last = this.heap.pop()!
    if (last === moment) return
    this.rise(place, last)
    this.sink(last.place, last)
  }

  all(): ReadonlyArray<Moment> {
    return [...this.heap].sort((a, b) => (before(a, b) ? -1 : 1))
  }

  private rise(from: number, moment: Moment): void {
    const heap = this.heap
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      const parent = heap[above]!
      if (!before(moment, parent)) break
      heap[place] = parent
      parent.place = place
      place = above
    }
    heap[place] = moment
    moment.place = place
  }

  private sink(from: number, moment: Moment): void {
    const heap = this.heap
    const { length } = heap
    let place = from
    for (;;) {
      let below = 2 * place + 1
      if (below >= length) break
      if (below + 1 < length && before(heap[below + 1]!, heap[below]!)) below++
      const child = heap[below]!
      if (!before(child, moment)) break
      heap[place] = child
      child.place = place
      place = below
    }
    heap[place] = moment
    moment.place = place
  }
}

const before = (a: Moment, b: Moment): boolean =>
  a.at !== b.at ? a.at < b.at : a.turn !== b.turn ? a.turn < b.turn : a.order < b.order
