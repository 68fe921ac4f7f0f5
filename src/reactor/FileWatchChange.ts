/**
 * What happened in a watched tree. Paths are relative to its root, with `/` on every platform; the root is `""`.
 *
 * A batch tells the net change: what was made and removed again is not in it. Every path is told for itself, those below
 * a moved directory too, so that a reader may pick paths and miss nothing. To build a state: first take away all `Removed`
 * and all `from`, then put all others (`applied`); names may have been swapped.
 */
import * as Data from "effect/Data"
import type { FileEntry } from "./FileWatchEntry.ts"

export type FileChange = Data.TaggedEnum<{
  /** There was nothing of this name. */
  Created: { readonly path: string; readonly entry: FileEntry }
  /**
   * Another content, as far as size and times tell. `replaced`: it is another file (or directory) of the same name, as
   * editors save.
   */
  Modified: { readonly path: string; readonly entry: FileEntry; readonly replaced: boolean }
  /** Mode, owner, or number of names. */
  AttributesChanged: { readonly path: string; readonly entry: FileEntry }
  /** `entry` is what it was. */
  Removed: { readonly path: string; readonly entry: FileEntry }
  /**
   * Surely the same one under another name; where that is not known it is `Removed` and `Created`. `modified`: with
   * another content; `replaced`: something else had that name.
   */
  Moved: {
    readonly from: string
    readonly path: string
    readonly entry: FileEntry
    readonly modified: boolean
    readonly replaced: boolean
  }
}>

export const FileChange = Data.taggedEnum<FileChange>()

export interface FileBatch {
  /** The watched tree, as it was given. */
  readonly root: string
  /** Removed ones, the deepest first; moved, created, modified ones, by path. Not empty. */
  readonly changes: readonly [FileChange, ...Array<FileChange>]
}

/** Everything in a tree by its path. */
export type FileSnapshot = ReadonlyMap<string, FileEntry>

/** The tree after these changes. */
export const applied = (snapshot: FileSnapshot, changes: Iterable<FileChange>): FileSnapshot => {
  const after = new Map(snapshot)
  const put: Array<Exclude<FileChange, { readonly _tag: "Removed" }>> = []
  for (const change of changes) {
    if (change._tag === "Removed") after.delete(change.path)
    else {
      if (change._tag === "Moved") after.delete(change.from)
      put.push(change)
    }
  }
  for (const { entry, path } of put) after.set(path, entry)
  return after
}
