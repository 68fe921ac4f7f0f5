/** The programs in C: compiled on demand, each under a name that tells of what, as several checkouts may share the cache. */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const digest = (sources: ReadonlyArray<string>, flags: ReadonlyArray<string>): string => {
  const hash = createHash("sha256").update(flags.join(" "))
  for (const source of sources) hash.update(readFileSync(source))
  return hash.digest("hex").slice(0, 12)
}

type Compiled = { readonly file: string } | { readonly problem: string }

interface Build {
  /** What the source includes. */
  readonly parts?: ReadonlyArray<string>
  readonly flags?: ReadonlyArray<string>
}

const compile = (source: string, { flags = [], parts = [] }: Build = {}): Compiled => {
  const cache = path("../node_modules/.cache/bench")
  const file = `${cache}/${basename(source, ".c")}-${digest([source, ...parts], flags)}`
  if (existsSync(file)) return { file }
  mkdirSync(cache, { recursive: true })
  // Renamed when it is complete: another run may be executing the old one.
  const fresh = `${file}.${process.pid}`
  const compiler = spawnSync("cc", ["-O2", "-o", fresh, source, ...flags], { encoding: "utf8" })
  if (compiler.status === 0) {
    renameSync(fresh, file)
    return { file }
  }
  const reason = compiler.error === undefined ? compiler.stderr.split("\n")[0] : "no C compiler (cc) found"
  return { problem: reason ?? "cc failed" }
}

interface Generator {
  readonly command: ReadonlyArray<string>
  readonly tls: boolean
  /** What to say where it is not the one in C. */
  readonly problem?: string
}

const openssl = ["-DWITH_TLS", "-lssl", "-lcrypto"]

/** The load generator: in C, with TLS where OpenSSL's headers are installed; in Node where there is no compiler. */
export const generator = (): Generator => {
  const source = path("load.c")
  const parts = readdirSync(path("."))
    .filter((name) => /^load-.*\.c$/.test(name))
    .map(path)
  const withTls = compile(source, { parts, flags: openssl })
  if ("file" in withTls) return { command: [withTls.file], tls: true }
  const compiled = compile(source, { parts })
  if ("file" in compiled) return { command: [compiled.file], tls: false }
  return { command: [process.execPath, path("load.ts")], tls: false, problem: compiled.problem }
}

/** The echo server in C. */
export const ceiling = (): Compiled => compile(path("servers/ceiling.c"))

/** The same for datagrams. */
export const udpCeiling = (): Compiled => compile(path("servers/udp-ceiling.c"))
