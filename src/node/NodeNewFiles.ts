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
      fs.mkdirSync(root, { recursive: true })
      const found = fs.readdirSync(root)
      if (found.length > 0) {
        throw new NewFilesError({ detail: `${root} is not empty: it has ${found.slice(0, 3).join(", ")}` })
      }
      for (const [name, contents] of Object.entries(files)) {
        const file = path.join(root, name)
        fs.mkdirSync(path.dirname(file), { recursive: true })
        fs.writeFileSync(file, contents, { flag: "wx" })
      }
      return root
    },
    catch: (cause) =>
      cause instanceof NewFilesError
        ? cause
        : new NewFilesError({
            detail: `${directory} cannot be made: ${Errno.codeOf(cause) ?? String(cause)}`,
            cause
          })
  })
