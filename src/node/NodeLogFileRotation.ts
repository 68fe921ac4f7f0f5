/** The names of old log files. Nothing here reads or writes what is in them. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Errno from "../reactor/Errno.ts"

export interface Rotation {
  /** The file is never longer, unless one line is; `Infinity` for any length. */
  readonly bytes: number
  /** Old files that are kept, at least 1; `Infinity` for all. */
  readonly keep: number
  /** Whether each day has its file. */
  readonly daily: boolean
}

/** `2020-01-31`, where the process is. */
export const dayOf = (millis: number): string => {
  const date = new Date(millis)
  const two = (value: number) => String(value).padStart(2, "0")
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** What is not there needs nothing done. */
const ifThere = (work: () => void): void => {
  try {
    work()
  } catch (error) {
    if (Errno.codeOf(error) !== "ENOENT") throw error
  }
}

const exists = (file: string): boolean => fs.statSync(file, { throwIfNoEntry: false }) !== undefined

/** `log` becomes `log.1`, that `log.2`, and so on. */
const byNumber = (file: string, keep: number): string => {
  let free = 1
  while (free < keep && exists(`${file}.${free}`)) free++
  for (let number = free; number > 1; number--) {
    ifThere(() => fs.renameSync(`${file}.${number - 1}`, `${file}.${number}`))
  }
  fs.renameSync(file, `${file}.1`)
  // Fewer may be kept than were before.
  for (let number = keep + 1; exists(`${file}.${number}`); number++) {
    ifThere(() => fs.unlinkSync(`${file}.${number}`))
  }
  return `${file}.1`
}

/** From `log.2020-01-31` or `log.2020-01-31.2` to what it is sorted by. */
const dated = (name: string, base: string): readonly [day: string, number: number] | undefined => {
  const match = name.startsWith(`${base}.`)
    ? /^(\d{4,}-\d\d-\d\d)(?:\.(\d+))?$/.exec(name.slice(base.length + 1))
    : null
  return match === null ? undefined : [match[1]!, Number(match[2] ?? 0)]
}

/** `log` becomes `log.2020-01-31`; the second one of that day `log.2020-01-31.1`. */
const byDay = (file: string, day: string, keep: number): string => {
  const [directory, base] = [path.dirname(file), path.basename(file)]
  let name = `${file}.${day}`
  for (let number = 1; exists(name); number++) name = `${file}.${day}.${number}`
  fs.renameSync(file, name)
  const old = fs
    .readdirSync(directory)
    .flatMap((name) => {
      const at = dated(name, base)
      return at === undefined ? [] : [{ name, at }]
    })
    .sort((a, b) => (a.at[0] === b.at[0] ? a.at[1] - b.at[1] : a.at[0] < b.at[0] ? -1 : 1))
  const surplus = Math.max(0, old.length - keep)
  for (const { name } of old.slice(0, surplus)) ifThere(() => fs.unlinkSync(path.join(directory, name)))
  return name
}

/** Moves the file away, and gives where it is now; `day` is that of its last line. Throws what the system says. */
export const moveAway = (file: string, rotation: Rotation, day: string): string =>
  rotation.daily ? byDay(file, day, rotation.keep) : byNumber(file, rotation.keep)
