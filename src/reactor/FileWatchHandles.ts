/** The open watches of a tree: one for each directory, or one for all where the platform sees what is below. */
import * as Effect from "effect/Effect"
import { type FileWatchError, overLimit } from "./FileWatchError.ts"
import type { FileWatchHandle, FileWatchHint, FileWatchPlatform, SystemError } from "./FileWatchPlatform.ts"

export class FileWatchHandles {
  private readonly platform: FileWatchPlatform
  private readonly root: string
  private readonly watchesMax: number
  private readonly hint: (directory: string, hint: FileWatchHint) => void
  private readonly handles = new Map<string, FileWatchHandle>()
  private closed = false

  constructor(
    platform: FileWatchPlatform,
    root: string,
    watchesMax: number,
    hint: (directory: string, hint: FileWatchHint) => void
  ) {
    this.platform = platform
    this.root = root
    this.watchesMax = watchesMax
    this.hint = hint
  }

  get size(): number {
    return this.handles.size
  }

  has(path: string): boolean {
    return this.handles.has(this.platform.isRecursive ? "" : path)
  }

  /** Makes sure that a directory is watched; with `reopen` by a new watch, which is there before the old one goes. */
  open(path: string, reopen: boolean): Effect.Effect<void, FileWatchError | SystemError> {
    if (this.has(path) && !reopen) return Effect.void
    if (this.platform.isRecursive && path !== "") return Effect.void
    const absolute = this.platform.at(this.root, path)
    if (!this.handles.has(path) && this.handles.size >= this.watchesMax) {
      return Effect.fail(overLimit(absolute, this.watchesMax))
    }
    const opened = this.platform.open(absolute, (hint) => this.hint(path, hint))
    return Effect.uninterruptible(
      Effect.map(opened, (handle) => {
        this.close(path)
        if (this.closed) handle.close()
        else this.handles.set(path, handle)
      })
    )
  }

  close(path: string): void {
    this.handles.get(path)?.close()
    this.handles.delete(path)
  }

  closeAll(): void {
    this.closed = true
    for (const path of this.handles.keys()) this.close(path)
  }
}
