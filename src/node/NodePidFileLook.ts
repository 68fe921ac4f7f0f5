/** What a pid file says, and of which process. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Errno from "../reactor/Errno.ts"
import { quoted } from "../reactor/EndpointExcerpt.ts"
import { AlreadyRunning, Inaccessible, NotAPidFile, type PidFileReason } from "./NodePidFileError.ts"
import { startOf } from "./NodeProcessStart.ts"

/** How much later than its file a process must have begun, so that the file cannot be its own. */
const toleranceMillis = 2_000
/** An empty file that is younger than this is being written. */
const writingMillis = 1_000
const contentBytesMax = 64

export interface Looked {
  readonly pid: number
  readonly mtimeNs: bigint
  /** Tells it from another file of the same name. */
  readonly identity: string
}

/** Throws `NotAPidFile`, and what the file system does. */
export const look = (file: string): Looked | "Writing" | undefined => {
  // A pipe of that name would never be open.
  const kind = fs.statSync(file, { throwIfNoEntry: false })
  if (kind === undefined) {
    // What is there by now and no link was made in between.
    if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined
    throw new NotAPidFile({ detail: "it is a symbolic link to nothing" })
  }
  if (!kind.isFile())
    throw new NotAPidFile({ detail: `it is a ${kind.isDirectory() ? "directory" : "special file"}` })
  let fd: number
  try {
    fd = fs.openSync(file, "r")
  } catch (error) {
    if (Errno.codeOf(error) === "ENOENT") return undefined
    throw error
  }
  try {
    const bytes = Buffer.alloc(contentBytesMax)
    const text = bytes.toString("latin1", 0, fs.readSync(fd, bytes, 0, contentBytesMax, 0))
    const { ctimeNs, ino, mtimeMs, mtimeNs } = fs.fstatSync(fd, { bigint: true })
    if (text === "" && Math.abs(Date.now() - Number(mtimeMs)) < writingMillis) return "Writing"
    // 0 and less are not processes but groups of them.
    const pid = /^\s*([1-9]\d{0,9})\s*$/.exec(text)?.[1]
    if (pid === undefined)
      throw new NotAPidFile({ detail: text === "" ? "it is empty" : `it holds ${quoted(text)}` })
    return { pid: Number(pid), mtimeNs, identity: `${pid}-${ino}-${ctimeNs}` }
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * Whether the process that a file names is the one that wrote it, and lives. `isHeld`: whether it is this process's, if that has
 * the number.
 */
export const isRunning = ({ mtimeNs, pid }: Looked, isHeld: boolean): boolean => {
  const start = startOf(pid)
  if (start === undefined) return false
  if (start.mark !== undefined && Number((mtimeNs / 1_000n) % 1_000_000n) === start.mark) return true
  // Of itself it knows. In a container, the same program has the same number after each start.
  if (pid === process.pid) return isHeld
  const writtenMillis = Number(mtimeNs / 1_000_000n)
  return start.startMillis === undefined || start.startMillis <= writtenMillis + toleranceMillis
}

/** What was thrown by looking or writing. */
export const reasonOf = (file: string, cause: unknown): PidFileReason => {
  if (cause instanceof NotAPidFile || cause instanceof AlreadyRunning) return cause
  const errno = Errno.codeOf(cause)
  const folder = path.dirname(file)
  const details: Readonly<Record<string, string>> = {
    ENOENT: `the directory ${folder} does not exist`,
    ENOTDIR: `${folder} is no directory`,
    EACCES: `this process may not write to ${folder}, or not read the file`,
    EROFS: `${folder} is read-only`,
    ENOSPC: `there is no space left in ${folder}`
  }
  const detail = details[errno] ?? (cause instanceof Error ? cause.message : String(cause))
  return new Inaccessible({ detail, errno, cause })
}
