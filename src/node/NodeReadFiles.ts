/** Files that are only read, as Effect's `FileSystem`: a small part of what `@effect/platform-node` has, and soon loaded. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
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

const kindOf = (stats: fs.Stats): FileSystem.File.Type =>
  stats.isFile() ? "File" : stats.isDirectory() ? "Directory" : "Unknown"

/** `exists`, the type in `stat`, `readFile`, `readFileString` and `readDirectory`, not recursive; whatever else is asked of it is not there. */
export const make: FileSystem.FileSystem = FileSystem.makeNoop({
  exists: (path) => Effect.sync(() => fs.existsSync(path)),
  stat: (path) =>
    attempt("stat", path, () => ({ type: kindOf(fs.statSync(path)) }) as unknown as FileSystem.File.Info),
  readFile: (path) => attempt("readFile", path, () => fs.readFileSync(path)),
  readFileString: (path) => attempt("readFileString", path, () => fs.readFileSync(path, "utf8")),
  readDirectory: (path) => attempt("readDirectory", path, () => fs.readdirSync(path))
})
