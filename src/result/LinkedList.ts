/** What can be in a list: it is the link itself, so that being in one costs no more than these fields. They belong to the list. */
export interface Linked<T extends Linked<T>> {
  /** The list that it is in; one at most. */
  list: LinkedList<T> | undefined
  /** Its neighbours there. */
  older: T | undefined
  newer: T | undefined
}

/** Members in the order in which they came; whoever leaves from the middle does it in a few writes. */
export class LinkedList<T extends Linked<T>> {
  oldest: T | undefined = undefined
  newest: T | undefined = undefined
  size = 0

  /** It comes last. It is in no list. */
  append(member: T): void {
    const { newest } = this
    member.list = this
    member.older = newest
    if (newest === undefined) this.oldest = member
    else newest.newer = member
    this.newest = member
    this.size++
  }

  /** It goes before all others. It is in no list. */
  prepend(member: T): void {
    const { oldest } = this
    member.list = this
    member.newer = oldest
    if (oldest === undefined) this.newest = member
    else oldest.older = member
    this.oldest = member
    this.size++
  }

  /** The oldest, which leaves. */
  shift(): T | undefined {
    const { oldest } = this
    if (oldest !== undefined) this.remove(oldest)
    return oldest
  }

  /** Whether it was in this list. */
  remove(member: T): boolean {
    if (member.list !== this) return false
    const { newer, older } = member
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    // Who is gone must keep nobody: what is old and dead holds the young until all of the heap is looked through.
    member.list = undefined
    member.newer = undefined
    member.older = undefined
    this.size--
    return true
  }

  /** Those who are members now, whoever comes or goes meanwhile. */
  newestFirst(): Array<T> {
    const members: Array<T> = []
    for (let member = this.newest; member !== undefined; member = member.older) members.push(member)
    return members
  }
}
