import { type Linked, LinkedList } from "../result/LinkedList.ts"
import { timerMax } from "./timerMillis.ts"

/** Whoever has a deadline: it is in at most one queue at a time, as a link of it. */
export interface Timed {
  /** Called once, if the deadline passes. */
  readonly onDeadline: () => void
  /** These belong to the queue. */
  deadline: Deadline<Timed> | undefined
}

/** A place in the queue. */
interface Deadline<T> extends Linked<Deadline<T>> {
  readonly owner: T
  readonly at: number
}

/** The time of `owner` ends, in whatever queue it ran; nothing happens if it did not. */
export const endDeadline = (owner: Timed): void => {
  const link = owner.deadline
  if (link === undefined) return
  owner.deadline = undefined
  link.list?.remove(link)
}

/**
 * Deadlines of one duration, so who begins first is first to be due: one timer does for all, and beginning and ending are a
 * few writes. The timer alone keeps no process alive; what has a deadline here is a socket, which does.
 */
export class DeadlineQueue<T extends Timed = Timed> {
  readonly millis: number
  private readonly links = new LinkedList<Deadline<T>>()
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(millis: number) {
    this.millis = millis
  }

  get size(): number {
    return this.links.size
  }

  /** Whoever began first, and since when (`performance.now`). */
  get oldest(): { readonly owner: T; readonly since: number } | undefined {
    const { links, millis } = this
    return links.oldest === undefined
      ? undefined
      : { owner: links.oldest.owner, since: links.oldest.at - millis }
  }

  /** The time of `owner` begins; once more, if it runs. */
  begin(owner: T): void {
    endDeadline(owner)
    const at = performance.now() + this.millis
    const link: Deadline<T> = { owner, at, list: undefined, older: undefined, newer: undefined }
    owner.deadline = link
    this.links.append(link)
    if (this.timer === undefined) this.wait(this.millis)
  }

  /** The time of `owner` ends; nothing happens if it did not run. */
  end(owner: T): void {
    endDeadline(owner)
  }

  /** Ends the time of all, and gives who they were. */
  endAll(): ReadonlyArray<T> {
    const owners: Array<T> = []
    for (let link = this.links.oldest; link !== undefined; link = this.links.oldest) {
      owners.push(link.owner)
      endDeadline(link.owner)
    }
    return owners
  }

  private wait(millis: number): void {
    this.timer = setTimeout(this.look, Math.min(Math.max(millis, 1), timerMax)).unref()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const { links } = this
    const now = performance.now()
    for (let link = links.oldest; link !== undefined && link.at <= now; link = links.oldest) {
      endDeadline(link.owner)
      link.owner.onDeadline()
    }
    // Whoever was called may have begun anew, and the timer with it.
    if (links.oldest !== undefined && this.timer === undefined) this.wait(links.oldest.at - now)
  }
}
