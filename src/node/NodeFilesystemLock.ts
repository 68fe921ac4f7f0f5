/** Locks between processes, as links in the file system: what `DeferredFilesystemLock` is made of on Node. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Errno from "../reactor/Errno.ts"
import {
  type FilesystemLockFile,
  FilesystemLockError,
  FilesystemLocks,
  NotALock,
  Unusable
} from "../result/DeferredFilesystemLock.ts"
import * as ProcessLink from "./ProcessLink.ts"

/** What is found dead is broken and tried again this often: each time more, somebody else was faster. */
const attemptsMax = 5

/**
 * A link is held by a live process; by this one, unless it was made before this process began. Whoever holds it has done
 * so by this code, in whatever process: links made by Twisted are respected, but Twisted breaks a dead one without care
 * for others that do so.
 */
const attempt = (path: string): "Taken" | "Broken" | "Held" => {
  let broken = false
  for (let count = 0; count < attemptsMax; count++) {
    if (ProcessLink.take(path)) return broken ? "Broken" : "Taken"
    const owner = ProcessLink.read(path)
    if (owner === undefined) continue
    if (typeof owner === "string") throw new NotALock({ detail: `not a lock: it ${owner}` })
    if (ProcessLink.isHeld(path, owner)) return "Held"
    broken = true
    ProcessLink.breakDead(path, owner)
  }
  return "Held"
}

const tried = <A>(path: string, f: () => A): Effect.Effect<A, FilesystemLockError> =>
  Effect.try({
    try: f,
    catch: (cause) =>
      new FilesystemLockError({
        path,
        reason:
          cause instanceof NotALock
            ? cause
            : new Unusable({
                detail: cause instanceof Error ? cause.message : String(cause),
                errno: Errno.codeOf(cause),
                cause
              })
      })
  })

export const at = (path: string): FilesystemLockFile => ({
  take: tried(path, () => attempt(path)),
  leave: tried(path, () => ProcessLink.release(path))
})

/** Whether a live process has the lock. Twisted: `isLocked`. */
export const isLocked = (path: string): Effect.Effect<boolean, FilesystemLockError> =>
  tried(path, () => {
    const owner = ProcessLink.read(path)
    return typeof owner === "number" && ProcessLink.isHeld(path, owner)
  })

export const layer: Layer.Layer<FilesystemLocks> = Layer.succeed(FilesystemLocks, { at })
