/** An open descriptor that lines are written to, at once, as far as the system takes them. */
import * as fs from "node:fs"
import * as tty from "node:tty"
import * as Errno from "../reactor/Errno.ts"

export interface Opened {
  readonly fd: number
  /** `undefined` of what is no regular file: it has no length, and is not moved away. */
  readonly file:
    | { readonly inode: bigint; readonly device: bigint; readonly size: number; readonly modified: number }
    | undefined
  /** Whether it is ours to close. */
  readonly isOwned: boolean
}

const { O_APPEND, O_CREAT, O_NONBLOCK = 0, O_WRONLY } = fs.constants

/** `-` is standard output, `+` is standard error. */
export const standard: ReadonlyMap<string, number> = new Map([
  ["-", 1],
  ["+", 2]
])

export interface OpenOptions {
  readonly path: string
  readonly mode: number
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
}

/** Throws what the system says. A pipe that nobody reads is refused, not waited for. */
export const open = ({ mode, owner, path }: OpenOptions): Opened => {
  const given = standard.get(path)
  if (given !== undefined) return { fd: given, file: undefined, isOwned: false }
  const fd = fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, mode)
  try {
    const stats = fs.fstatSync(fd, { bigint: true })
    if (!stats.isFile()) return { fd, file: undefined, isOwned: true }
    if (owner !== undefined && (Number(stats.uid) !== owner.uid || Number(stats.gid) !== owner.gid)) {
      fs.fchownSync(fd, owner.uid, owner.gid)
    }
    const file = {
      inode: stats.ino,
      device: stats.dev,
      size: Number(stats.size),
      modified: Number(stats.mtimeMs)
    }
    return { fd, file, isOwned: true }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

export const close = ({ fd, isOwned }: Opened): void => {
  if (!isOwned) return
  try {
    fs.closeSync(fd)
  } catch {
    // Some file systems tell here what they could not write: it is too late to write it elsewhere.
  }
}

/** How long the file is by now; `undefined` if the path does not lead to it any more: it was moved away, or deleted. */
export const sizeAt = (opened: Opened, path: string): number | undefined => {
  const { file } = opened
  if (file === undefined) return 0
  try {
    const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
    const isSame = stats !== undefined && stats.ino === file.inode && stats.dev === file.device
    return isSame ? Number(stats.size) : undefined
  } catch {
    // The path cannot be followed; the descriptor is good.
    return Number(fs.fstatSync(opened.fd).size)
  }
}

export const isTerminal = ({ fd }: Opened): boolean => tty.isatty(fd)

/**
 * - `Taken`: all of it. - `Full`: a pipe that is not read now; the rest may be tried later. - `Gone`: nobody reads it, ever.
 * - `Failed`: the system says no.
 */
export interface Outcome {
  readonly _tag: "Taken" | "Full" | "Gone" | "Failed"
  readonly bytes: number
  readonly error?: unknown
}

/** Writes as much as it can. Never throws. */
export const write = ({ fd }: Opened, bytes: Uint8Array): Outcome => {
  let written = 0
  while (written < bytes.length) {
    try {
      written += fs.writeSync(fd, bytes, written)
    } catch (error) {
      const errno = Errno.codeOf(error)
      if (errno === "EINTR") continue
      const _tag = errno === "EAGAIN" ? "Full" : errno === "EPIPE" ? "Gone" : "Failed"
      return { _tag, bytes: written, error }
    }
  }
  return { _tag: "Taken", bytes: written }
}
