/** What Node says of a file, as an entry. */
import * as fs from "node:fs"
import { codeOf } from "../reactor/Errno.ts"
import type { FileEntry, FileKind } from "../reactor/FileWatchEntry.ts"

/**
 * File times may be as coarse as the system's tick, 10 milliseconds at the most usual worst: two changes within it leave
 * the same time.
 */
const grainMillis = 20

const kindOf = (stats: fs.BigIntStats): FileKind => {
  if (stats.isDirectory()) return "Directory"
  if (stats.isFile()) return "File"
  return stats.isSymbolicLink() ? "SymbolicLink" : "Other"
}

const isRecent = (nanos: bigint, now: number): boolean =>
  Math.abs(now - Number(nanos / 1_000_000n)) <= grainMillis

export const entryOf = (stats: fs.BigIntStats, now: number): FileEntry => ({
  kind: kindOf(stats),
  sizeBytes: Number(stats.size),
  mtimeNanos: stats.mtimeNs,
  ctimeNanos: stats.ctimeNs,
  mode: Number(stats.mode),
  uid: Number(stats.uid),
  gid: Number(stats.gid),
  links: Number(stats.nlink),
  identity: `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`,
  // Some file systems keep no time of birth. One just born may have a successor born within the same grain.
  identityIsCertain: stats.birthtimeNs > 0n && !isRecent(stats.birthtimeNs, now),
  isFresh: isRecent(stats.mtimeNs, now) || isRecent(stats.ctimeNs, now)
})

const isAbsent = (error: unknown): boolean => {
  const code = codeOf(error)
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP"
}

const orAbsent = (error: unknown): undefined => {
  if (isAbsent(error)) return undefined
  throw error
}

/** What is there; a link that leads nowhere is itself. */
export const look = async (path: string, follow: boolean): Promise<FileEntry | undefined> => {
  const itself = () => fs.promises.lstat(path, { bigint: true }).catch(orAbsent)
  const stats = follow
    ? ((await fs.promises.stat(path, { bigint: true }).catch(orAbsent)) ?? (await itself()))
    : await itself()
  return stats === undefined ? undefined : entryOf(stats, Date.now())
}

/** Entries looked at side by side. */
const lookers = 64

export const list = async (
  path: string,
  follow: boolean,
  signal: AbortSignal
): Promise<ReadonlyArray<readonly [string, FileEntry]>> => {
  const names = await fs.promises.readdir(path)
  const found: Array<readonly [string, FileEntry]> = []
  for (let index = 0; index < names.length && !signal.aborted; index += lookers) {
    const some = names.slice(index, index + lookers)
    const entries = await Promise.all(some.map((name) => look(`${path}/${name}`, follow)))
    for (const [at, name] of some.entries()) {
      const entry = entries[at]
      if (entry !== undefined) found.push([name, entry])
    }
  }
  return found
}
