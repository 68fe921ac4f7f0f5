/** Real trees for the tests of `NodeFileWatch`: made, read, and waited for. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FileSnapshot } from "../../src/reactor/FileWatchChange.ts"

/** A directory of its own, until the scope ends. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "spindle-watch-")))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

/** What is there, by relative path: kind, and for files number, size and time. */
export const real = (root: string): Readonly<Record<string, string>> => {
  const found: Record<string, string> = {}
  const visit = (below: string) => {
    const stats = fs.lstatSync(path.join(root, below), { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) return
    found[below] = stats.isDirectory() ? "Directory" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`
    if (!stats.isDirectory()) return
    for (const name of fs.readdirSync(path.join(root, below))) visit(below === "" ? name : `${below}/${name}`)
  }
  visit("")
  return found
}

/** The same of a snapshot. */
export const pictured = (snapshot: FileSnapshot): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...snapshot].map(([below, entry]) => [
      below,
      entry.kind === "Directory"
        ? "Directory"
        : `${entry.identity.split(":")[1]} ${entry.sizeBytes} ${entry.mtimeNanos}`
    ])
  )

/** Waits for a condition, at most 30 seconds; then says what it is instead. */
export const eventually = <A>(read: () => A, expected: () => A) =>
  Effect.gen(function* () {
    const end = Date.now() + 30_000
    while (Date.now() < end) {
      try {
        assert.deepStrictEqual(read(), expected())
        return
      } catch {
        yield* Effect.sleep(5)
      }
    }
    assert.deepStrictEqual(read(), expected())
  })
