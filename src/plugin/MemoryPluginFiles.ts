/**
 * Packages that exist in memory only, for tests of programs with plugins: what `PluginSource` asks of a platform. Paths are those
 * of UNIX.
 *
 * ```ts check
 * const packages = MemoryPluginFiles.make({
 *   "/app/node_modules/greetings/package.json": { name: "greetings", spindle: { plugins: [...] } },
 *   "/app/node_modules/greetings/polite.js": () => ({ polite: { text: "Good morning" } })
 * })
 * const plugins = Registry.layer({ directory: "/app" }).pipe(Layer.provide(PluginSource.layer(packages)))
 * ```
 */
import * as Effect from "effect/Effect"
import { SystemError } from "../reactor/FileWatchPlatform.ts"
import type { PluginFiles } from "./PluginSource.ts"

/**
 * - A function is a module: it is called when that is imported, and gives the exports, or throws, or a promise of either.
 * - `{ link }` is a link to an absolute path. `{ error }` is what cannot be looked at, and why: `EACCES`.
 * - A text is a file; any other object is one of JSON.
 */
export type MemoryEntry =
  | (() => unknown)
  | { readonly link: string }
  | { readonly error: string }
  | string
  | Readonly<Record<string, unknown>>

export interface MemoryPluginFiles extends PluginFiles {
  /** The modules that were imported, in order. */
  readonly imported: ReadonlyArray<string>
  /** The files that were read. */
  readonly reads: ReadonlyArray<string>
}

const linksMax = 40
/** Where links lead in the end that lead in a circle. */
const nowhere = "/\0"

/** By absolute path. Directories are there because something is in them. */
export const make = (entries: Readonly<Record<string, MemoryEntry>>): MemoryPluginFiles => {
  const all = new Map(Object.entries(entries))
  const imported: Array<string> = []
  const reads: Array<string> = []
  const modules = new Map<string, Promise<Readonly<Record<string, unknown>>>>()

  const isDirectory = (path: string): boolean =>
    path === "/" || [...all.keys()].some((other) => other.startsWith(`${path}/`))

  /** The path without links. */
  const follow = (path: string, links = 0): Effect.Effect<string, SystemError> => {
    const parts = path.split("/").slice(1)
    for (const [index] of parts.entries()) {
      const here = `/${parts.slice(0, index + 1).join("/")}`
      const entry = all.get(here)
      if (typeof entry !== "object") continue
      const { error, link } = entry as { readonly error?: unknown; readonly link?: unknown }
      if (typeof error === "string") return Effect.fail(failure(error))
      if (typeof link !== "string") continue
      if (links === linksMax) return Effect.succeed(nowhere)
      return follow([link, ...parts.slice(index + 1)].join("/"), links + 1)
    }
    return Effect.succeed(path)
  }

  return {
    imported,
    reads,
    resolve: (path) => (path.length > 1 ? path.replace(/\/$/, "") : path),
    at: (directory, below) =>
      `${directory === "/" ? "" : directory}/${below
        .replaceAll(/(^|\/)\.(?=\/)/g, "$1")
        .replaceAll(/\/+/g, "/")
        .replace(/^\//, "")}`,
    parentOf: (path) => path.slice(0, path.lastIndexOf("/")) || "/",
    nameOf: (path) => path.slice(path.lastIndexOf("/") + 1),
    split: (list) => list.split(":").filter((path) => path !== ""),
    folders: (directory) =>
      Effect.map(follow(directory), (real) => {
        if (!isDirectory(real)) return undefined
        const top = real === "/" ? "/" : `${real}/`
        const below = [...all.keys()].filter((path) => path.startsWith(top))
        const names = new Set(below.map((path) => path.slice(top.length).split("/")[0]!))
        return [...names].filter((name) => isDirectory(top + name) || isLink(all.get(top + name)))
      }),
    read: (file, bytesMax) =>
      Effect.flatMap(follow(file), (real) => {
        const entry = all.get(real)
        if (entry === undefined || typeof entry === "function") return Effect.undefined
        reads.push(real)
        const bytes = new TextEncoder().encode(typeof entry === "string" ? entry : JSON.stringify(entry))
        return bytes.length > bytesMax ? Effect.fail(failure("EFBIG")) : Effect.succeed(bytes)
      }),
    realPath: (path) =>
      Effect.map(follow(path), (real) => (all.has(real) || isDirectory(real) ? real : undefined)),
    load: (file) =>
      Effect.tryPromise(() => {
        const known = modules.get(file)
        if (known !== undefined) return known
        imported.push(file)
        const module = execute(all.get(file))
        modules.set(file, module)
        return module
      })
  }
}

const failure = (code: string): SystemError => new SystemError({ code, cause: new Error(code) })

const isLink = (entry: MemoryEntry | undefined): boolean => typeof entry === "object" && "link" in entry

/** As of a module that was imported: an error, too, is kept. */
const execute = async (entry: MemoryEntry | undefined): Promise<Readonly<Record<string, unknown>>> => {
  if (typeof entry !== "function") throw new SyntaxError("this is no module")
  return (await entry()) as Readonly<Record<string, unknown>>
}
