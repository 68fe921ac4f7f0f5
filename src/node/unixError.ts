import * as fs from "node:fs"
import * as path from "node:path"
import * as Errno from "../reactor/Errno.ts"

/** `sun_path` less its NUL: 108 bytes on Linux, 104 on BSD and macOS. */
const pathBytesMax = process.platform === "linux" ? 107 : 103

/**
 * What the system meant about a socket file. libuv answers EACCES, as Windows would, for a directory that does
 * not exist, and EINVAL for a name that is too long.
 */
export const unixError = (file: string, error: unknown): unknown => {
  const code = Errno.codeOf(error)
  if (code === "EINVAL" && Buffer.byteLength(file) > pathBytesMax) return recoded(error, "ENAMETOOLONG")
  if (code === "EACCES" && isMissing(path.dirname(file))) return recoded(error, "ENOENT")
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
