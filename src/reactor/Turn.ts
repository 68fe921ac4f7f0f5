/** Something that holds output back until the turn ends. */
export interface Flushable {
  readonly flush: () => void
}

/**
 * One turn of the event loop, as a reactor's streams see it: what they send in it leaves when it ends. Inside
 * an event (`enter`/`leave`) that is the end of the event; outside of one, whatever the platform's `defer`
 * gives (the end of the current callback).
 */
export class Turn {
  private depth = 0
  private deferred = false
  private readonly marked: Array<Flushable> = []
  private readonly defer: (run: () => void) => void

  constructor(defer: (run: () => void) => void) {
    this.defer = defer
  }

  enter(): void {
    this.depth++
  }

  leave(): void {
    if (--this.depth === 0 && this.marked.length > 0) this.flush()
  }

  /** Flushes `stream` when the turn ends. Call it once until then. */
  mark(stream: Flushable): void {
    this.marked.push(stream)
    if (this.depth === 0 && !this.deferred) {
      this.deferred = true
      this.defer(this.runDeferred)
    }
  }

  private readonly runDeferred = () => {
    this.deferred = false
    if (this.depth === 0) this.flush()
  }

  private flush(): void {
    // Flushing may wake senders that send again: they are appended, and flushed in this same pass.
    this.depth++
    for (let i = 0; i < this.marked.length; i++) this.marked[i]!.flush()
    this.marked.length = 0
    this.depth--
  }
}
