/** How often each of many keys failed lately: a number for each, and a bound on how many are remembered. Pure but for its own state. */

export interface Allowance {
  readonly failuresMax: number
  /** In which so many failures are allowed, and after which all are forgotten. */
  readonly windowMillis: number
}

/**
 * A leaking bucket: `failuresMax` failures at once, then one more each `windowMillis / failuresMax`. A key is remembered by the
 * time at which its last failure has leaked away.
 */
export class FailureTable {
  private readonly emptyAt = new Map<string, number>()
  private readonly interval: number
  private readonly windowMillis: number
  private readonly keysMax: number

  constructor({ failuresMax, windowMillis }: Allowance, keysMax: number) {
    this.interval = windowMillis / failuresMax
    this.windowMillis = windowMillis
    this.keysMax = keysMax
  }

  get size(): number {
    return this.emptyAt.size
  }

  /** Milliseconds until one more failure is allowed; 0, if it is now. */
  wait(key: string, now: number): number {
    const after = Math.max(this.emptyAt.get(key) ?? 0, now) + this.interval
    // What is added in parts may be off in its last bit.
    return Math.max(0, after - now - this.windowMillis - 1e-6)
  }

  add(key: string, now: number): void {
    const emptyAt = Math.max(this.emptyAt.get(key) ?? 0, now) + this.interval
    // Behind the others: what is dropped for want of room is what failed longest ago.
    this.emptyAt.delete(key)
    if (this.emptyAt.size >= this.keysMax) this.makeRoom(now)
    this.emptyAt.set(key, emptyAt)
  }

  /** It was no failure. */
  takeBack(key: string, now: number): void {
    const emptyAt = this.emptyAt.get(key)
    if (emptyAt === undefined) return
    if (emptyAt - this.interval <= now) this.emptyAt.delete(key)
    else this.emptyAt.set(key, emptyAt - this.interval)
  }

  forget(key: string): void {
    this.emptyAt.delete(key)
  }

  private makeRoom(now: number): void {
    for (const [key, emptyAt] of this.emptyAt) {
      if (emptyAt > now && this.emptyAt.size < this.keysMax) return
      this.emptyAt.delete(key)
      if (emptyAt > now) return
    }
  }
}
