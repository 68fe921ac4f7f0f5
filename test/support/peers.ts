/**
 * Real programs to talk to, where they are installed. Where they are not, what needs them is skipped, and says so:
 *
 * ```ts
 * describePeer(curl, (path) => {
 *   it.live("fetches a page", () => Child.run(path, ["--max-time", "5", url]).pipe(...))
 * })
 * ```
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { describe } from "@effect/vitest"

export interface Peer {
  readonly name: string
  /** The Debian package that has it. */
  readonly debian: string
  /** Where it is; `undefined` when it is not installed. */
  readonly path: string | undefined
}

const isExecutable = (file: string): boolean => {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/** All programs of that name on PATH, the first one first. */
export const whichAll = (program: string): ReadonlyArray<string> =>
  (process.env["PATH"] ?? "")
    .split(path.delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => path.join(folder, program))
    .filter(isExecutable)

/** The program that a shell would start. */
export const which = (program: string): string | undefined => whichAll(program)[0]

const program = (name: string, debian: string): Peer => ({ name, debian, path: which(name) })

/** A Python that has the module: any on PATH, since Debian's packages are only for Debian's own. */
export const pythonWith = (module: string, debian: string): Peer => {
  const has = (python: string): boolean => {
    try {
      execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore", timeout: 10_000 })
      return true
    } catch {
      return false
    }
  }
  return { name: `python3 with ${module}`, debian, path: whichAll("python3").find(has) }
}

export const curl: Peer = program("curl", "curl")
export const openssl: Peer = program("openssl", "openssl")
export const netcat: Peer = program("nc", "netcat-openbsd")
export const socat: Peer = program("socat", "socat")
export const gsasl: Peer = program("gsasl", "gsasl")

let twistedPeer: Peer | undefined
/** A Python that imports Twisted. A function, because looking takes a moment. */
export const twisted = (): Peer => (twistedPeer ??= pythonWith("twisted", "python3-twisted"))

/** A group of tests that needs the peer: skipped, with the reason in its name, where it is missing. */
export const describePeer = (peer: Peer, tests: (path: string) => void): void => {
  const missing = peer.path === undefined ? `, which is not installed (apt-get install ${peer.debian})` : ""
  describe.skipIf(missing !== "")(`with ${peer.name}${missing}`, () => {
    tests(peer.path ?? peer.name)
  })
}
