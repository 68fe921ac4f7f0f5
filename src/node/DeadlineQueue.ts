/** Whoever has a deadline: it is in at most one queue at a time, as a link of it. */
export interface Timed {
  /** Called once, if the deadline passes. */
  readonly onDeadline: () => void
  /** These belong to the queue. */
  deadline: Deadline<Timed> | undefined
}

/** A place in the queue. */
interface Deadline<out T> {
  readonly owner: T
  readonly at: number
  earlier: Deadline<T> | undefined
  later: Deadline<T> | undefined
}

/** More overflows Node's timers, which then fire at once. */
const timerMax = 2_147_483_647

/**
 * Deadlines of one duration, so who begins first is first to be due: one timer does for all, and beginning and ending are a
 * few writes. The timer alone keeps no process alive; what has a deadline here is a socket, which does.
 */
export class DeadlineQueue<T extends Timed = Timed> {
  readonly millis: number
  size = 0
  private first: Deadline<T> | undefined = undefined
  private last: Deadline<T> | undefined = undefined
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(millis: number) {
    this.millis = millis
  }

  /** Whoever began first, and since when (`performance.now`). */
  get oldest(): { readonly owner: T; readonly since: number } | undefined {
    const { first, millis } = this
    return first === undefined ? undefined : { owner: first.owner, since: first.at - millis }
  }

  /** The time of `owner` begins; once more, if it runs. */
  begin(owner: T): void {
    this.end(owner)
    const last = this.last
    const link: Deadline<T> = { owner, at: performance.now() + this.millis, earlier: last, later: undefined }
    owner.deadline = link
    if (last === undefined) this.first = link
    else last.later = link
    this.last = link
    this.size++
    if (this.timer === undefined) this.wait(this.millis)
  }

  /** The time of `owner` ends; nothing happens if it did not run. */
  end(owner: T): void {
    const link = owner.deadline as Deadline<T> | undefined
    if (link === undefined) return
    const { earlier, later } = link
    owner.deadline = undefined
    if (earlier === undefined) this.first = later
    else earlier.later = later
    if (later === undefined) this.last = earlier
    else later.earlier = earlier
    // A link that is gone must keep nobody: what is old and dead holds the young until all of the heap is looked through.
    link.earlier = undefined
    link.later = undefined
    this.size--
  }

  /** Ends the time of all, and gives who they were. */
  endAll(): ReadonlyArray<T> {
    const owners: Array<T> = []
    for (let link = this.first; link !== undefined; link = this.first) {
      owners.push(link.owner)
      this.end(link.owner)
    }
    return owners
  }

  private wait(millis: number): void {
    this.timer = setTimeout(this.look, Math.min(Math.max(millis, 1), timerMax)).unref()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const now = performance.now()
    for (let link = this.first; link !== undefined && link.at <= now; link = this.first) {
      this.end(link.owner)
      link.owner.onDeadline()
    }
    // Whoever was called may have begun anew, and the timer with it.
    if (this.first !== undefined && this.timer === undefined) this.wait(this.first.at - now)
  }
}
