/** What is to be looked at again, and when: hints gathered until it has been quiet, or for long enough. Pure. */

/** Flags of a path. */
export const Look = 1
/** Somebody wrote to it. */
export const Written = 2
/** Its names are to be read again. */
export const List = 4
/** Those of all directories below it, too. */
export const Deep = 8
/** Its watch may be none any more. */
export const Reopen = 16
/** Only because another name of the same file changed. */
export const Linked = 32

export interface FileWatchPace {
  /** So long nothing must happen, in milliseconds. */
  readonly quietMillis: number
  /** So long the first hint waits at most, in milliseconds. */
  readonly longestMillis: number
}

/** More paths than this are not worth a look each: everything is looked at instead. */
const pathsMax = 16_384

export class FileWatchDirty {
  private paths = new Map<string, number>()
  private readonly pace: FileWatchPace
  private first = 0
  private last = 0

  constructor(pace: FileWatchPace) {
    this.pace = pace
  }

  get isEmpty(): boolean {
    return this.paths.size === 0
  }

  /** When it is time to look, in the milliseconds of `now`; never, if there is nothing to look at. */
  get due(): number {
    if (this.isEmpty) return Number.POSITIVE_INFINITY
    return Math.min(this.last + this.pace.quietMillis, this.first + this.pace.longestMillis)
  }

  /** Whether that became everything. */
  mark(path: string, flags: number, now: number): boolean {
    if (this.isEmpty) this.first = now
    this.last = now
    this.paths.set(path, (this.paths.get(path) ?? 0) | flags)
    if (this.paths.size <= pathsMax) return false
    this.paths = new Map([["", Look | List | Deep]])
    return true
  }

  /** All of it, parents first; it is empty then. */
  take(): ReadonlyArray<readonly [string, number]> {
    const taken = [...this.paths].sort(([a], [b]) => (a < b ? -1 : 1))
    this.paths.clear()
    return taken
  }
}
