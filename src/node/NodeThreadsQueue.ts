/** Jobs that wait, first come, first served; one that gives up costs nothing to take out. */
export class NodeThreadsQueue<A extends object> {
  private readonly items = new Map<number, A>()
  private readonly numbers = new Map<A, number>()
  private first = 0
  private next = 0

  get size(): number {
    return this.items.size
  }

  push(item: A): void {
    this.items.set(this.next, item)
    this.numbers.set(item, this.next)
    this.next++
  }

  /** It is the next one. */
  unshift(item: A): void {
    this.first--
    this.items.set(this.first, item)
    this.numbers.set(item, this.first)
  }

  shift(): A | undefined {
    while (this.first < this.next) {
      const item = this.items.get(this.first++)
      if (item !== undefined) {
        this.remove(item)
        return item
      }
    }
    return undefined
  }

  /** Whether it was there. */
  remove(item: A): boolean {
    const number = this.numbers.get(item)
    if (number === undefined) return false
    this.items.delete(number)
    return this.numbers.delete(item)
  }
}
