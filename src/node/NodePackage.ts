/** What this package says of itself, and where things are. */
import * as fs from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"

interface Manifest {
  readonly version: string
  readonly peerDependencies: Readonly<Record<string, string>>
}

// From `src/node` and from `dist/node` alike.
const root = new URL("../../", import.meta.url)

let manifest: Manifest | undefined

/** Read when first asked for. */
const read = (): Manifest =>
  (manifest ??= JSON.parse(fs.readFileSync(new URL("package.json", root), "utf8")) as Manifest)

export const own = {
  get version(): string {
    return read().version
  },
  /** The versions of Effect that it takes. */
  get effectRange(): string {
    return read().peerDependencies["effect"] ?? "*"
  },
  /** The program of the `spindle` command. */
  get program(): string {
    const isSource = import.meta.url.endsWith(".ts")
    return fileURLToPath(new URL(isSource ? "src/bin.ts" : "dist/bin.js", root))
  }
}

/** What runs this program again: Node, with the options it was given, and the program. */
export const launcher = (): ReadonlyArray<string> => [process.execPath, ...process.execArgv, own.program]

/** This very command, for a thread: its program, and the arguments that it was given. */
export const again = (): { readonly module: URL; readonly argv: ReadonlyArray<string> } => ({
  module: pathToFileURL(own.program),
  argv: process.argv.slice(2)
})
