/**
 * Descriptors that this process was started with, and that every child of it would have, too: Node opens its own so that no child gets
 * them, and at its start shuts the first ones of those that it finds, but misses those behind a gap.
 */
import * as fs from "node:fs"

/** Beyond that, a table of so many descriptors would be dear for each child. */
const fdMax = 4_096
const closeOnExec = 0o2000000

let found: ReadonlyArray<number> | undefined

/** Their numbers. Looked for once: later ones come from libraries that mean it. None where there is no `/proc`. */
export const inherited = (): ReadonlyArray<number> => (found ??= look())

const look = (): ReadonlyArray<number> => {
  let names: ReadonlyArray<string>
  try {
    names = fs.readdirSync("/proc/self/fdinfo")
  } catch {
    return []
  }
  return names.map(Number).filter((fd) => fd > 2 && fd <= fdMax && passesOn(fd))
}

const passesOn = (fd: number): boolean => {
  try {
    const flags = /^flags:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch {
    return false
  }
}
