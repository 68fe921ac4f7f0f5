/** Descriptors 0, 1 and 2, which everybody in the process believes to be there. */
import * as fs from "node:fs"
import * as os from "node:os"

export const isStandard = (fd: number): boolean => fd <= 2

/**
 * Closes one and puts the null device in its place: so the other end sees it closed, while a stray print goes nowhere, and not
 * into whichever file would be opened next. libuv never closes these three.
 */
export const vacate = (fd: number): void => {
  fs.closeSync(fd)
  const lower: Array<number> = []
  let opened = fs.openSync(os.devNull, "r+")
  // Somebody may have closed a lower one.
  while (opened < fd) {
    lower.push(opened)
    opened = fs.openSync(os.devNull, "r+")
  }
  // Another thread was faster: the place is taken, if by something else.
  if (opened > fd) lower.push(opened)
  for (const surplus of lower) fs.closeSync(surplus)
}

/** Whether nobody waits on it: `O_NONBLOCK` belongs to the pipe or socket, and so to all processes that share it. */
export const isNonBlocking = (fd: number): boolean => {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & fs.constants.O_NONBLOCK) !== 0
  } catch {
    return false
  }
}
