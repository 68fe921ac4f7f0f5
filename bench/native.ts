/** The programs in C: compiled on demand, again when their source is newer. */
import { spawnSync } from "node:child_process"
import { mkdirSync, renameSync, statSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const modifiedAt = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

type Compiled = { readonly file: string } | { readonly problem: string }

const compile = (source: string): Compiled => {
  const cache = path("../node_modules/.cache/bench")
  const file = `${cache}/${basename(source, ".c")}`
  if (modifiedAt(file) > modifiedAt(source)) return { file }
  mkdirSync(cache, { recursive: true })
  // Renamed when it is complete: another run may be executing the old one.
  const fresh = `${file}.${process.pid}`
  const compiler = spawnSync("cc", ["-O2", "-o", fresh, source], { encoding: "utf8" })
  if (compiler.status === 0) {
    renameSync(fresh, file)
    return { file }
  }
  const reason = compiler.error === undefined ? compiler.stderr.split("\n")[0] : "no C compiler (cc) found"
  return { problem: reason ?? "cc failed" }
}

/** The load generator and what to say where it is not the one in C. */
export const generator = (): { readonly command: ReadonlyArray<string>; readonly problem?: string } => {
  const compiled = compile(path("load.c"))
  if ("file" in compiled) return { command: [compiled.file] }
  return { command: [process.execPath, path("load.ts")], problem: compiled.problem }
}

/** The echo server in C. */
export const ceiling = (): Compiled => compile(path("servers/ceiling.c"))
