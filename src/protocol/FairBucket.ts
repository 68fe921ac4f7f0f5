import { burstSecondsOf, type Rate } from "./TokenBucket.ts"

/** Less is a rounding error, and nobody waits for it. */
const bytesMin = 1e-6

/** What one taker owes. */
export class Account {
  /** @internal How much each taker who owed all the while would have been served when this one is through. */
  due = 0
  /** @internal Its place in the heap; -1 when it owes nothing. */
  index = -1
  /** Called once it is paid. */
  readonly wakes = new Set<() => void>()

  get owes(): boolean {
    return this.index >= 0
  }
}

/**
 * A token bucket for many takers. Whoever finds too little in it owes the rest, and what comes in is divided equally
 * among all who owe, byte by byte (generalised processor sharing; Parekh and Gallager, 1993): who takes small pieces
 * is not held up by those who take big ones, and nothing that comes in is left lying while somebody owes. Each step
 * costs the logarithm of their number. Time is in seconds since whenever, and never goes back.
 */
export class FairBucket {
  private readonly bytesPerSecond: number
  private readonly burstBytes: number
  private tokens: number
  private at = Number.NaN
  /** How much each of those who owe has been served since the first of them came. */
  private served = 0
  /** Those who owe; the one who is through first is the first. */
  private readonly heap: Array<Account> = []
  /** Owes what those who left still owed. */
  private readonly departed = new Account()
  /** Those that are paid, and wait to be told. */
  readonly paid: Array<Account> = []

  constructor(rate: Rate) {
    this.bytesPerSecond = rate.bytesPerSecond
    this.burstBytes = burstSecondsOf(rate) * rate.bytesPerSecond
    this.tokens = this.burstBytes
  }

  take(account: Account, bytes: number, now: number): void {
    this.advance(now)
    let owed = bytes
    if (this.heap.length === 0) {
      const paid = Math.min(this.tokens, bytes)
      this.tokens -= paid
      owed -= paid
    }
    if (owed > 0) this.owe(account, owed)
  }

  /** Serves those who owe up to `now`. */
  advance(now: number): void {
    let bytes = now > this.at ? (now - this.at) * this.bytesPerSecond : 0
    if (!(now <= this.at)) this.at = now
    const { heap } = this
    while (heap.length > 0) {
      const needed = (heap[0]!.due - this.served) * heap.length
      if (needed > bytes + bytesMin) {
        this.served += bytes / heap.length
        return
      }
      bytes = Math.max(0, bytes - needed)
      const first = heap[0]!
      this.served = first.due
      this.remove(first)
      if (first.wakes.size > 0) this.paid.push(first)
    }
    this.served = 0
    this.tokens = Math.min(this.burstBytes, this.tokens + bytes)
  }

  /** Seconds until the next of those who owe is through, if nobody comes or leaves; `Infinity` when nobody owes. */
  nextDue(): number {
    const first = this.heap[0]
    if (first === undefined) return Number.POSITIVE_INFINITY
    return ((first.due - this.served) * this.heap.length) / this.bytesPerSecond
  }

  /** What the account owes, in bytes. */
  debt(account: Account): number {
    return account.owes ? account.due - this.served : 0
  }

  /** Its taker is gone. What it owes is still paid, so that coming and going brings nobody more. */
  leave(account: Account, now: number): void {
    this.advance(now)
    if (!account.owes) return
    const owed = this.debt(account)
    this.remove(account)
    this.owe(this.departed, owed)
  }

  private owe(account: Account, bytes: number): void {
    if (account.owes) {
      account.due += bytes
      this.sink(account)
    } else {
      account.due = this.served + bytes
      account.index = this.heap.push(account) - 1
      this.rise(account)
    }
  }

  private remove(account: Account): void {
    const { index } = account
    account.index = -1
    const last = this.heap.pop()!
    if (last === account) return
    this.place(last, index)
    this.rise(last)
    this.sink(last)
  }

  private place(account: Account, index: number): void {
    this.heap[index] = account
    account.index = index
  }

  private rise(account: Account): void {
    while (account.index > 0) {
      const above = this.heap[(account.index - 1) >>> 1]!
      if (above.due <= account.due) return
      this.swap(above, account)
    }
  }

  private sink(account: Account): void {
    for (;;) {
      const left = this.heap[2 * account.index + 1]
      if (left === undefined) return
      const right = this.heap[2 * account.index + 2]
      const below = right !== undefined && right.due < left.due ? right : left
      if (account.due <= below.due) return
      this.swap(account, below)
    }
  }

  private swap(a: Account, b: Account): void {
    const { index } = a
    this.place(a, b.index)
    this.place(b, index)
  }
}
