/** The tables of errors in `src/reactor/README.md`, and the codes that `Errno.ts` speaks of. */
import * as fs from "node:fs"
import * as path from "node:path"

const root = path.join(import.meta.dirname, "../..")
const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8")

const unquoted = (cell: string): ReadonlyArray<string> =>
  [...cell.matchAll(/`([^`]+)`/g)].map((found) => found[1]!)

const cellsOf = (line: string): ReadonlyArray<string> =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim())

/** The rows below the table's head, as their cells. However wide the columns are. */
const tableUnder = (...head: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const lines = read("src/reactor/README.md").split("\n")
  const start = lines.findIndex((line) => cellsOf(line).join("|") === head.join("|"))
  if (start < 0) throw new Error(`no table of ${head.join(", ")}`)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"))
  return lines.slice(start + 2, end < 0 ? undefined : end).map(cellsOf)
}

export interface SystemRow {
  readonly operation: string
  readonly reason: string
  readonly provoked: ReadonlyArray<string>
  readonly mapped: ReadonlyArray<string>
}

export const systemRows: ReadonlyArray<SystemRow> = tableUnder(
  "operation",
  "reason",
  "provoked",
  "mapped"
).map(([operation, reason, provoked, mapped]) => ({
  operation: operation!,
  reason: unquoted(reason!)[0]!,
  provoked: unquoted(provoked!),
  mapped: unquoted(mapped!)
}))

export const ownRows = tableUnder("reason", "when", "tested in").map(([reason, , tested]) => ({
  reason: unquoted(reason!)[0]!,
  /** The file that has the test; undefined where none can be. */
  tested: unquoted(tested!)[0]
}))

export const twistedRows = tableUnder("Twisted", "Spindle").map(([twisted, place]) => ({
  twisted: unquoted(twisted!)[0]!,
  place: place!,
  names: unquoted(place!)
}))

/** Every word of `Errno.ts` that may be a code. */
export const codesInErrno: ReadonlyArray<string> = [
  ...new Set(Array.from(read("src/reactor/Errno.ts").matchAll(/\b[A-Z][A-Z_]{4,}\b/g), ([word]) => word))
]

export const textOf = read
