/**
 * All programs that the tests of a run start share what they compiled: there are hundreds of them, and most of such a start
 * is reading the same sources. It goes with the run, so that no run knows of another. Vitest's own workers have no part in
 * it: they still write when the run is over.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const ours = "SPINDLE_COMPILE_CACHE"

// In a worker, from where programs are started.
if (process.env[ours] !== undefined) process.env["NODE_COMPILE_CACHE"] ??= process.env[ours]

/** Around a run. */
export const setup = (): (() => void) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-compiled-"))
  process.env[ours] = directory
  return () => fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
}
