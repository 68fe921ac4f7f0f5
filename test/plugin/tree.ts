/** Packages on a disk, in a folder of their own. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Files by relative path; what is no text is written as JSON, and `{ link }` becomes a link, relative to the folder. */
export type Tree = Readonly<Record<string, unknown>>

export const write = (folder: string, tree: Tree): void => {
  for (const [name, content] of Object.entries(tree)) {
    const file = path.join(folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    const { link } = content as { readonly link?: unknown }
    if (typeof link === "string") fs.symlinkSync(path.join(folder, link), file)
    else fs.writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content, null, 2))
  }
}

/** A folder with these files, gone when the scope ends. Its path has no links in it. */
export const make = (tree: Tree): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "spindle-plugins-")))
      write(folder, tree)
      return folder
    }),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
