/** Files that are only read, as Effect's `FileSystem`: a small part of what `@effect/platform-node` has, and soon loaded. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Errno from "../reactor/Errno.ts"

const tagOf = (cause: unknown): PlatformError.SystemErrorTag => {
  switch (Errno.codeOf(cause)) {
    case "ENOENT":
    case "ENOTDIR":
      return "NotFound"
    case "EACCES":
    case "EPERM":
      return "PermissionDenied"
    case "EISDIR":
      return "BadResource"
    default:
      return "Unknown"
  }
}

const attempt = <A>(method: string, path: string, read: () => A) =>
  Effect.try({
    try: read,
    catch: (cause) =>
      PlatformError.systemError({
        _tag: tagOf(cause),
        module: "FileSystem",
        method,
        description: Errno.codeOf(cause),
        pathOrDescriptor: path,
        cause
      })
  })

const kindOf = (stats: fs.BigIntStats): FileSystem.File.Type =>
  stats.isFile() ? "File" : stats.isDirectory() ? "Directory" : "Unknown"

/** `exists`, type, size, time and number in `stat`, `readDirectory` (not recursive), `readFile` and `readFileString`; whatever else is asked of it is not there. */
export const make: FileSystem.FileSystem = FileSystem.makeNoop({
  exists: (path) => Effect.sync(() => fs.existsSync(path)),
  stat: (path) =>
    attempt("stat", path, () => {
      const stats = fs.statSync(path, { bigint: true })
      return {
        type: kindOf(stats),
        size: stats.size,
        ino: Option.some(stats.ino),
        mtime: Option.some(new Date(Number(stats.mtimeMs)))
      } as unknown as FileSystem.File.Info
    }),
  readDirectory: (path) => attempt("readDirectory", path, () => fs.readdirSync(path)),
  readFile: (path) => attempt("readFile", path, () => fs.readFileSync(path)),
  readFileString: (path) => attempt("readFileString", path, () => fs.readFileSync(path, "utf8"))
})
