/** What paths were before anything happened to them: from it and the tree as it is come the changes of a batch. */
import { FileChange } from "./FileWatchChange.ts"
import { difference, type FileEntry, hasOtherContent, isSame, isTraceable } from "./FileWatchEntry.ts"

type Entries = (path: string) => FileEntry | undefined

/** A path that changed: what left it, and what came. */
interface Step {
  readonly path: string
  readonly left: FileEntry | undefined
  readonly came: FileEntry | undefined
}

export class FileWatchJournal {
  private readonly before = new Map<string, FileEntry | undefined>()
  private readonly touched = new Set<string>()

  /** Call it before the tree changes at `path`. */
  note(path: string, before: FileEntry | undefined): void {
    if (!this.before.has(path)) this.before.set(path, before)
  }

  /** Somebody wrote to it, whether it shows or not. */
  touch(path: string, before: FileEntry): void {
    this.note(path, before)
    this.touched.add(path)
  }

  /** The net changes since the last time, in the order of `FileBatch`. */
  take(now: Entries): ReadonlyArray<FileChange> {
    const changes: Array<FileChange> = []
    const steps: Array<Step> = []
    for (const [path, left] of this.before) {
      const came = now(path)
      if (left !== undefined && came !== undefined && isSame(left, came)) {
        const change = inPlace(path, left, came, this.touched.has(path))
        if (change !== undefined) changes.push(change)
      } else if (left !== undefined || came !== undefined) {
        steps.push({ path, left, came })
      }
    }
    this.clear()
    changes.push(...comingsAndGoings(steps))
    return changes.sort(inOrder)
  }

  /** Takes back what was not told yet. */
  undo(entries: Map<string, FileEntry>): void {
    for (const [path, before] of this.before) {
      if (before === undefined) entries.delete(path)
      else entries.set(path, before)
    }
  }

  clear(): void {
    this.before.clear()
    this.touched.clear()
  }
}

const inPlace = (
  path: string,
  before: FileEntry,
  entry: FileEntry,
  touched: boolean
): FileChange | undefined => {
  const found = difference(before, entry)
  if (found === "Content" || touched) return FileChange.Modified({ path, entry, replaced: false })
  return found === "Attributes" ? FileChange.AttributesChanged({ path, entry }) : undefined
}

/** Where each file went that left one name and came to another. What came twice went nowhere for certain. */
const movesOf = (steps: ReadonlyArray<Step>): ReadonlyMap<Step, Step> => {
  const cameTo = new Map<string, Step | undefined>()
  for (const step of steps) {
    if (step.came === undefined) continue
    const { identity } = step.came
    cameTo.set(identity, cameTo.has(identity) ? undefined : step)
  }
  const origins = new Map<Step, Step>()
  for (const from of steps) {
    if (from.left === undefined || !isTraceable(from.left)) continue
    const to = cameTo.get(from.left.identity)
    if (to?.came !== undefined && isSame(from.left, to.came) && isTraceable(to.came)) origins.set(to, from)
  }
  return origins
}

const comingsAndGoings = (steps: ReadonlyArray<Step>): ReadonlyArray<FileChange> => {
  const origins = movesOf(steps)
  const moved = new Set(origins.values())
  return steps.flatMap((step): ReadonlyArray<FileChange> => {
    const { came, path } = step
    const gone = moved.has(step) ? undefined : step.left
    const origin = origins.get(step)
    if (came === undefined) return gone === undefined ? [] : [FileChange.Removed({ path, entry: gone })]
    if (origin?.left !== undefined) {
      return [
        FileChange.Moved({
          from: origin.path,
          path,
          entry: came,
          modified: hasOtherContent(origin.left, came),
          replaced: gone !== undefined
        })
      ]
    }
    if (gone === undefined) return [FileChange.Created({ path, entry: came })]
    if (gone.kind === came.kind) return [FileChange.Modified({ path, entry: came, replaced: true })]
    return [FileChange.Removed({ path, entry: gone }), FileChange.Created({ path, entry: came })]
  })
}

const ranks = { Removed: 0, Moved: 1, Created: 2, Modified: 3, AttributesChanged: 3 } as const

/** Parents before what is in them; what is removed, the other way round. */
const inOrder = (a: FileChange, b: FileChange): number => {
  const rank = ranks[a._tag] - ranks[b._tag]
  if (rank !== 0 || a.path === b.path) return rank
  return a.path < b.path === (a._tag === "Removed") ? 1 : -1
}
