/** Why a tree cannot be watched, or not completely. */
import * as Data from "effect/Data"
import type { SystemError } from "./FileWatchPlatform.ts"
import * as Reason from "./Reason.ts"

/** There is no such file or directory: ENOENT, ENOTDIR. */
export class NotFound extends Data.TaggedError("NotFound")<Reason.ReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/**
 * No more watches: the system's limit (ENOSPC: `fs.inotify.max_user_watches`; EMFILE: `fs.inotify.max_user_instances`, or
 * descriptors), or `watchesMax`, which has no `errno`.
 */
export class TooManyWatches extends Data.TaggedError("TooManyWatches")<
  Reason.ReasonFields & {
    /** How many this tree has. */
    readonly watches: number
  }
> {
  override get message(): string {
    return this.detail
  }
}

/** `Closed`: its scope has ended. */
export type FileWatchReason = NotFound | TooManyWatches | Reason.AccessDenied | Reason.Closed | Reason.Unknown

/** A tree cannot be watched, or a part of it. */
export class FileWatchError extends Data.TaggedError("FileWatchError")<{
  /** What could not be watched, as the system knows it. */
  readonly path: string
  readonly reason: FileWatchReason
}> {
  override get message(): string {
    return `cannot watch ${this.path}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

const gone = new Set(["ENOENT", "ENOTDIR", "ELOOP"])
const denied = new Set(["EACCES", "EPERM"])
const exhausted = new Set(["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"])

/** It is not there, or is no directory by now. */
export const isGone = (error: SystemError): boolean => gone.has(error.code)

export const isDenied = (error: SystemError): boolean => denied.has(error.code)

/** `watches`: how many the tree has. */
export const fromSystem = (path: string, error: SystemError, watches: number): FileWatchError =>
  new FileWatchError({ path, reason: reasonOf(error, watches) })

const reasonOf = ({ cause, code, message }: SystemError, watches: number): FileWatchReason => {
  const fields = { errno: code === "" ? undefined : code, cause }
  if (gone.has(code)) return new NotFound({ ...fields, detail: "there is no such file or directory" })
  if (denied.has(code)) return new Reason.AccessDenied({ ...fields, detail: "permission denied" })
  if (exhausted.has(code)) {
    const detail = `the system gives no more watches (${code}; this tree has ${watches})`
    return new TooManyWatches({ ...fields, detail, watches })
  }
  return new Reason.Unknown({ ...fields, detail: message })
}

export const overLimit = (path: string, watchesMax: number): FileWatchError =>
  new FileWatchError({
    path,
    reason: new TooManyWatches({
      detail: `the tree has more than ${watchesMax} directories (watchesMax)`,
      watches: watchesMax
    })
  })
