/**
 * What a platform must know to watch a tree: five verbs, and hints. Hints need not be right, only complete: whatever
 * changes after `open` returned leads to one. What really happened is found by looking.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { FileEntry } from "./FileWatchEntry.ts"

/**
 * - `Named`: something about this name in the directory; where watches are recursive, a path with `/` below it.
 *   `written`: perhaps only its content.
 * - `Directory`: something about the directory itself, or in it.
 * - `Lost`: the watch is over.
 * - `Overflow`: hints were lost, of any watch.
 */
export type FileWatchHint =
  | { readonly _tag: "Named"; readonly name: string; readonly written: boolean }
  | { readonly _tag: "Directory" | "Lost" | "Overflow" }

/** What the system says no with. */
export class SystemError extends Data.TaggedError("SystemError")<{
  /** `ENOENT`, ...; empty, if it has none. */
  readonly code: string
  readonly cause: unknown
}> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : this.code
  }
}

export interface FileWatchHandle {
  readonly close: () => void
}

/** Paths are absolute, and the system's own. */
export interface FileWatchPlatform {
  /** A watch of a directory sees everything below it. */
  readonly isRecursive: boolean
  /** Absolute, without `.` and `..`. */
  readonly resolve: (path: string) => string
  /** The name of `below`, a relative path with `/`, in the tree of `root`. */
  readonly at: (root: string, below: string) => string
  /** The directory that `path` is in; the top is in itself. */
  readonly parentOf: (path: string) => string
  readonly nameOf: (path: string) => string
  /** What is there; nothing, if nothing is. `follow`: where a link leads, if anywhere. */
  readonly look: (path: string, follow: boolean) => Effect.Effect<FileEntry | undefined, SystemError>
  /** Everything in a directory, without what vanishes meanwhile. */
  readonly list: (
    path: string,
    follow: boolean
  ) => Effect.Effect<ReadonlyArray<readonly [name: string, entry: FileEntry]>, SystemError>
  /** Watches a directory from now on, until closed. Calls `hint` in an event of its own, never before it returned. */
  readonly open: (
    path: string,
    hint: (hint: FileWatchHint) => void
  ) => Effect.Effect<FileWatchHandle, SystemError>
}
