/** Modules by file. */
import * as fs from "node:fs"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"

/** What there is of that name. */
export const kindOf = (file: string): "Directory" | "File" | "Nothing" => {
  const stats = fs.statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? "Nothing" : stats.isDirectory() ? "Directory" : "File"
}

/** Executes a module and gives its exports; fails with what it threw. The second time it is the same module. */
export const load = (file: string): Effect.Effect<Readonly<Record<string, unknown>>, unknown> =>
  Effect.tryPromise({
    try: () => import(pathToFileURL(file).href) as Promise<Readonly<Record<string, unknown>>>,
    catch: (error) => error
  })
