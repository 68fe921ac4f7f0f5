/** Why there is no log file. */
import * as path from "node:path"
import * as Data from "effect/Data"
import * as Errno from "../reactor/Errno.ts"

/**
 * - `DirectoryMissing`: the file's directory is not there. - `NotAFile`: it is a directory, or a socket.
 * - `Denied`: the system does not let us. - `Unusable`: anything else; see `errno`.
 */
export type LogFileReason = "DirectoryMissing" | "NotAFile" | "Denied" | "Unusable"

export class LogFileError extends Data.TaggedError("LogFileError")<{
  readonly path: string
  readonly reason: LogFileReason
  readonly detail: string
  /** The operating system's name for it (`EACCES`, ...). */
  readonly errno: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `log file ${this.path}: ${this.detail}`
  }
}

const reasons: Readonly<Record<string, LogFileReason>> = {
  ENOENT: "DirectoryMissing",
  ENOTDIR: "DirectoryMissing",
  EISDIR: "NotAFile",
  ENXIO: "NotAFile",
  EACCES: "Denied",
  EPERM: "Denied",
  EROFS: "Denied"
}

const detailOf = (file: string, reason: LogFileReason, errno: string, error: unknown): string => {
  switch (reason) {
    case "DirectoryMissing":
      return `there is no directory ${path.dirname(file)}`
    case "NotAFile":
      return errno === "EISDIR" ? "it is a directory" : "it is a socket, or a pipe that nobody reads"
    case "Denied":
      return errno === "EROFS" ? "its file system is read-only" : `not permitted (${errno})`
    case "Unusable":
      return error instanceof Error ? error.message : String(error)
  }
}

const make = (path: string, reason: LogFileError["reason"], error: unknown): LogFileError => {
  const errno = Errno.codeOf(error)
  return new LogFileError({ path, reason, detail: detailOf(path, reason, errno, error), errno, cause: error })
}

/** It cannot be opened. */
export const notOpened = (file: string, error: unknown): LogFileError =>
  make(file, reasons[Errno.codeOf(error)] ?? "Unusable", error)

/** It is open, but cannot be moved away. */
export const notMoved = (file: string, error: unknown): LogFileError =>
  make(file, reasons[Errno.codeOf(error)] === "Denied" ? "Denied" : "Unusable", error)
