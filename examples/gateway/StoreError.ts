import * as Data from "effect/Data"

/** Why the store could not do it. `detail` is one line for a person, without paths. */
export interface StoreReason {
  readonly _tag:
    | "Full" // no space left, or a limit on the file's size
    | "Busy" // another connection holds the database's lock
    | "ReadOnly" // the file or its directory must not be written
    | "CannotOpen" // no such directory, no permission, not a file
    | "Corrupt" // damaged, or no SQLite database at all
    | "UnknownVersion" // written by another version of this program
    | "InputOutput" // the disk failed
    | "Closed" // the store was closed
    | "Unknown"
  readonly detail: string
  readonly cause?: unknown
}

// Primary result codes: https://www.sqlite.org/rescode.html
const tags = new Map<number, StoreReason["_tag"]>([
  [5, "Busy"], // SQLITE_BUSY
  [6, "Busy"], // SQLITE_LOCKED
  [8, "ReadOnly"], // SQLITE_READONLY
  [10, "InputOutput"], // SQLITE_IOERR
  [11, "Corrupt"], // SQLITE_CORRUPT
  [13, "Full"], // SQLITE_FULL
  [14, "CannotOpen"], // SQLITE_CANTOPEN
  [26, "Corrupt"] // SQLITE_NOTADB
])

const codes = new Map<unknown, StoreReason["_tag"]>([
  ["ERR_INVALID_STATE", "Closed"], // node:sqlite, after close
  ["EACCES", "CannotOpen"],
  ["EPERM", "CannotOpen"],
  ["ENOTDIR", "CannotOpen"],
  ["EEXIST", "CannotOpen"],
  ["EROFS", "ReadOnly"],
  ["ENOSPC", "Full"]
])

/** Reads what `node:sqlite` and `node:fs` throw. */
export const reasonOf = (cause: unknown): StoreReason => {
  const error: { readonly errcode?: unknown; readonly errstr?: unknown; readonly code?: unknown } =
    typeof cause === "object" && cause !== null ? cause : {}
  // The low byte of an extended result code is the primary one.
  const tag = typeof error.errcode === "number" ? tags.get(error.errcode & 0xff) : codes.get(error.code)
  const detail = error.errstr ?? error.code
  return { _tag: tag ?? "Unknown", detail: typeof detail === "string" ? detail : "unknown failure", cause }
}

/** The store failed: this machine's fault, never the peer's. A failed `append` left nothing behind. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly operation: "open" | "append" | "latest" | "readings" | "aggregate"
  readonly reason: StoreReason
}> {
  override get message(): string {
    return `cannot ${this.operation}: ${this.reason.detail}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

/** A function for `Effect.try`'s `catch`. */
export const storeError =
  (operation: StoreError["operation"]) =>
  (cause: unknown): StoreError =>
    cause instanceof StoreError ? cause : new StoreError({ operation, reason: reasonOf(cause) })
