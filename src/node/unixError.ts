/** The names of UNIX sockets: which can be, and what the system means when it says no to one. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Errno from "../reactor/Errno.ts"

/** `sun_path` less its NUL: 108 bytes on Linux, 104 on BSD and macOS. */
export const pathBytesMax = process.platform === "linux" ? 107 : 103

/** A name that is not a file (unix(7)): it begins with a NUL, and goes with its socket. */
export const isAbstract = (file: string): boolean => file.startsWith("\0")

/** Whether the system has room for the name. An abstract one needs no NUL behind it, and has one before it. */
export const isTooLong = (file: string): boolean =>
  Buffer.byteLength(file) > pathBytesMax + (isAbstract(file) ? 1 : 0)

/**
 * What the system meant about a UNIX name. libuv answers EACCES, as Windows would, for a directory that does
 * not exist, and EINVAL for a name that is too long, or abstract where there is no such thing.
 */
export const unixError = (file: string, error: unknown, platform = process.platform): unknown => {
  const code = Errno.codeOf(error)
  if (code === "EINVAL") {
    if (isAbstract(file) && platform !== "linux") {
      return recoded(error, "EAFNOSUPPORT")
    }
    if (isTooLong(file)) return recoded(error, "ENAMETOOLONG")
  }
  if (code === "EACCES" && !isAbstract(file) && isMissing(path.dirname(file))) return recoded(error, "ENOENT")
  return error
}

/** Whether it is known not to exist, which a directory that may not be searched is not. */
const isMissing = (directory: string): boolean => {
  try {
    fs.statSync(directory)
    return false
  } catch (error) {
    return Errno.codeOf(error) === "ENOENT"
  }
}

const recoded = (error: unknown, code: string): Error =>
  Object.assign(new Error(error instanceof Error ? error.message : String(error), { cause: error }), { code })
