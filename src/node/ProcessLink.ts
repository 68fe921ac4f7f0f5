/**
 * A lock between processes as Twisted's `FilesystemLock` makes it: a symbolic link to the number of the process that has
 * it. A link is made whole or not at all, and has no contents to be half written. All processes must see each other's
 * numbers, so be of one machine and one PID namespace.
 */
import * as fs from "node:fs"
import * as Errno from "../reactor/Errno.ts"

/** Makes the link, to this process; false if there is something already. Throws what the file system does. */
export const take = (link: string): boolean => {
  try {
    fs.symlinkSync(String(process.pid), link)
    return true
  } catch (error) {
    if (Errno.codeOf(error) === "EEXIST") return false
    throw error
  }
}

/** Makes the link, to this process, in place of what is there: for who is given it by the process that has it. */
export const takeOver = (link: string): void => {
  const aside = `${link}.${process.pid}`
  fs.rmSync(aside, { force: true })
  fs.symlinkSync(String(process.pid), aside)
  fs.renameSync(aside, link)
}

/** The process that a link names, what it says if that is none, or undefined when there is no link. */
export const read = (link: string): number | string | undefined => {
  try {
    const text = fs.readlinkSync(link)
    // 0 and less are not processes but groups of them.
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : `leads to "${text}"`
  } catch (error) {
    if (Errno.codeOf(error) === "ENOENT") return undefined
    if (Errno.codeOf(error) === "EINVAL") return "is no symbolic link"
    throw error
  }
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return Errno.codeOf(error) !== "ESRCH"
  }
}

/** Times of files are as coarse as the kernel's tick. */
const tickMillis = 50

/**
 * Whether a link is older than this process. In a container the same program has the same number after each start: a link
 * to our own number that a crash left behind seems to be ours, and is not if it is older. The clock may have been set since
 * the start, so the earlier one of two beliefs about that counts.
 */
export const isOlderThanThisProcess = (link: string): boolean => {
  const made = fs.lstatSync(link, { throwIfNoEntry: false })?.mtimeMs
  const started = Math.min(performance.timeOrigin, Date.now() - process.uptime() * 1_000)
  return made !== undefined && made < started - tickMillis
}

/**
 * Whether the process that a link names has it: it lives, and is not this one in a former life. A number that was given to
 * another process since then is taken for the first one.
 */
export const isHeld = (link: string, owner: number): boolean =>
  isAlive(owner) && !(owner === process.pid && isOlderThanThisProcess(link))

/** Tells a link from another one of the same name, as long as it names `owner`. */
const identify = (link: string, owner: number): string | undefined => {
  const stat = fs.lstatSync(link, { throwIfNoEntry: false, bigint: true })
  return stat !== undefined && read(link) === owner ? `${owner}-${stat.ino}-${stat.ctimeNs}` : undefined
}

/**
 * Removes the link of a process that is gone, if nobody else is about to; then one can try to take it.
 *
 * Several may find it dead, and the slower one must not remove what the faster one has put there. So it is removed only
 * by who has taken another link, whose name says which one is to be removed, and has then looked again: while that link
 * stands, nobody else removes the one it speaks of, and whoever comes later does not find that one any more. A process
 * that dies in between leaves both, and the second one is broken the same way.
 */
export const breakDead = (link: string, owner: number): void => {
  const dead = identify(link, owner)
  if (dead === undefined) return
  const right = `${link}.${dead}`
  if (!take(right)) {
    const breaker = read(right)
    if (typeof breaker === "number" && !isHeld(right, breaker)) breakDead(right, breaker)
    return
  }
  try {
    if (identify(link, owner) === dead) fs.unlinkSync(link)
  } finally {
    fs.unlinkSync(right)
  }
}

/** Removes the link if it names this process: one that somebody else has taken meanwhile is his. Whether it was there. */
export const release = (link: string): boolean => removeOf(link, process.pid)

/** Removes the link if it names that process. Whether it did. */
export const removeOf = (link: string, owner: number): boolean => {
  if (read(link) !== owner) return false
  fs.unlinkSync(link)
  return true
}
