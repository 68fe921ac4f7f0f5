/** Options, and what temporarily changes them: the newest wins, and each goes when its time is over, in any order. */
export class Layered<A extends object> {
  private readonly base: A
  private readonly changed: (options: A) => void
  private readonly layers = new Set<Partial<A>>()

  /** `changed` is told what holds, now and whenever that is something else. */
  constructor(base: A, changed: (options: A) => void) {
    this.base = base
    this.changed = changed
    changed(base)
  }

  /** Gives what takes it back. */
  add(options: Partial<A>): () => void {
    const own = { ...options }
    this.layers.add(own)
    this.tell()
    return () => {
      if (this.layers.delete(own)) this.tell()
    }
  }

  clear(): void {
    this.layers.clear()
    this.tell()
  }

  private tell(): void {
    this.changed(Object.assign({}, this.base, ...this.layers) as A)
  }
}
