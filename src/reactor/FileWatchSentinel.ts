/** Waits for a root that is no directory: it watches the nearest directory above that is there. */
import * as Effect from "effect/Effect"
import { isGone } from "./FileWatchError.ts"
import type { FileWatchHandle, FileWatchHint, FileWatchPlatform, SystemError } from "./FileWatchPlatform.ts"

export class FileWatchSentinel {
  private readonly platform: FileWatchPlatform
  private readonly root: string
  private readonly happened: (written: boolean) => void
  private watch: FileWatchHandle | undefined = undefined
  private directory = ""
  /** Its directory may be another by now. */
  private isStale = false
  private closed = false

  constructor(platform: FileWatchPlatform, root: string, happened: (written: boolean) => void) {
    this.platform = platform
    this.root = root
    this.happened = happened
  }

  /** Whether it began to watch another directory: the root may have come in between. */
  guard(isDirectory: boolean): Effect.Effect<boolean, SystemError> {
    if (!isDirectory) return this.openAbove(this.root)
    return Effect.sync(() => {
      this.close()
      this.closed = false
      return false
    })
  }

  private openAbove(below: string): Effect.Effect<boolean, SystemError> {
    const directory = this.platform.parentOf(below)
    const expected = this.platform.nameOf(below)
    const opened = Effect.uninterruptible(
      Effect.map(
        this.platform.open(directory, (hint) => this.hint(hint, directory, expected)),
        (watch) => {
          const isNew = this.directory !== directory || this.isStale
          this.watch?.close()
          this.watch = undefined
          if (this.closed) watch.close()
          else this.watch = watch
          this.directory = directory
          this.isStale = false
          return isNew
        }
      )
    )
    return opened.pipe(
      Effect.catch((error) =>
        isGone(error) && directory !== below ? this.openAbove(directory) : Effect.fail(error)
      )
    )
  }

  private hint(hint: FileWatchHint, directory: string, expected: string): void {
    if (hint._tag !== "Named") {
      this.isStale = true
      return this.happened(false)
    }
    const [name = ""] = hint.name.split("/")
    if (name === this.platform.nameOf(directory)) this.isStale = true
    if (this.isStale || name === expected) this.happened(hint.written)
  }

  close(): void {
    this.closed = true
    this.watch?.close()
    this.watch = undefined
    this.directory = ""
  }
}
