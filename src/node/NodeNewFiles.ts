/** Files written where nothing is yet: a new project. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"

export class NewFilesError extends Data.TaggedError("NewFilesError")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

const details: Readonly<Record<string, string>> = {
  ENOENT: "its place does not take directories",
  ENOTDIR: "there is a file of that name",
  EACCES: "this process may not write there",
  EROFS: "the file system is read-only",
  ENOSPC: "there is no space left"
}

const whyNot = (cause: unknown): string => {
  const errno = Errno.codeOf(cause)
  return details[errno] ?? (cause instanceof Error ? cause.message : errno)
}

/** With those above it. Node's own (`recursive`) never returns where the system says ENOENT for ever, as below `/proc`. */
const makeDirectory = (directory: string): void => {
  if (fs.existsSync(directory)) return
  makeDirectory(path.dirname(directory))
  fs.mkdirSync(directory)
}

/**
 * Makes the directory, which must be missing or empty, with these files, by their paths in it. Nothing is ever overwritten.
 * Gives its absolute path.
 */
export const write = (
  directory: string,
  files: Readonly<Record<string, string>>
): Effect.Effect<string, NewFilesError> =>
  Effect.try({
    try: () => {
      const root = path.resolve(directory)
      makeDirectory(root)
      const found = fs.readdirSync(root)
      if (found.length > 0) {
        throw new NewFilesError({ detail: `${root} is not empty: it has ${found.slice(0, 3).join(", ")}` })
      }
      for (const [name, contents] of Object.entries(files)) {
        const file = path.join(root, name)
        makeDirectory(path.dirname(file))
        fs.writeFileSync(file, contents, { flag: "wx" })
      }
      return root
    },
    catch: (cause) =>
      cause instanceof NewFilesError
        ? cause
        : new NewFilesError({
            detail: `${directory} cannot be made: ${whyNot(cause)}`,
            cause
          })
  })
