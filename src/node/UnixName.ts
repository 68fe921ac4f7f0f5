/** The name that a listening UNIX socket has in the file system: its file and its lock, as long as they are this process's. */
import * as ProcessLink from "./ProcessLink.ts"
import { lockOf, UnixLock } from "./UnixLock.ts"
import { PlacedSocketFile } from "./UnixSocketFile.ts"

export class UnixName {
  private readonly file: PlacedSocketFile
  private readonly lock: UnixLock | undefined
  private isOurs = true

  constructor(file: PlacedSocketFile, lock: UnixLock | undefined) {
    this.file = file
    this.lock = lock
  }

  /** What the process `predecessor` has given us, socket and all. */
  static takeOver(
    path: string,
    options: { readonly mode: number | undefined; readonly lock: boolean; readonly predecessor: number }
  ): UnixName {
    const file = new PlacedSocketFile(path)
    if (options.mode !== undefined) file.setMode(options.mode)
    return new UnixName(file, options.lock ? lockFrom(path) : withoutLock(path, options.predecessor))
  }

  /** Another process has them from now on. */
  forsake(): void {
    this.isOurs = false
  }

  /** The other process failed. */
  reclaim(): void {
    this.isOurs = true
    try {
      this.lock?.reclaim()
    } catch {
      // Its directory went, or is no longer ours to write: nobody else can take it either.
    }
  }

  /** Call it while the socket is open. */
  remove(): void {
    if (!this.isOurs) return
    this.file.remove()
    this.lock?.release()
  }
}

/** The socket listens in any case: without its lock it only is less safe from others, as it is with `lock: false`. */
const lockFrom = (path: string): UnixLock | undefined => {
  try {
    return UnixLock.takeOver(path)
  } catch {
    return undefined
  }
}

/** This process wants none, and nobody else would take that of its predecessor away. */
const withoutLock = (path: string, predecessor: number): undefined => {
  try {
    ProcessLink.removeOf(lockOf(path), predecessor)
  } catch {
    // It stays, and names a process that is gone soon.
  }
  return undefined
}
