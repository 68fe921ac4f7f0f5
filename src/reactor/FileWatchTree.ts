/** A tree of entries by path. Paths are relative, with `/`; the root is `""`. Pure bookkeeping. */
import type { FileEntry } from "./FileWatchEntry.ts"

/** The name of `name` in `directory`. */
export const join = (directory: string, name: string): string =>
  directory === "" ? name : `${directory}/${name}`

/** The directory of a path; of the root, nothing. */
export const parentOf = (path: string): string | undefined =>
  path === "" ? undefined : path.slice(0, Math.max(path.lastIndexOf("/"), 0))

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** Levels below the root: 1 for what is directly in it. */
export const depthOf = (path: string): number => (path === "" ? 0 : path.split("/").length)

export class FileWatchTree {
  private readonly entries = new Map<string, FileEntry>()
  private readonly children = new Map<string, Set<string>>()
  /** The paths of each file: most have one, which is not worth a set. */
  private readonly paths = new Map<string, string | Set<string>>()

  get size(): number {
    return this.entries.size
  }

  readonly get = (path: string): FileEntry | undefined => this.entries.get(path)

  /** The names in a directory, now. */
  namesIn(path: string): ReadonlyArray<string> {
    return [...(this.children.get(path) ?? [])]
  }

  /** The paths at which this file was found. */
  pathsOf(entry: FileEntry): ReadonlyArray<string> {
    const paths = this.paths.get(entry.identity)
    if (paths === undefined) return []
    return typeof paths === "string" ? [paths] : [...paths]
  }

  /** Its directory is there already. */
  put(path: string, entry: FileEntry): void {
    this.unlink(path)
    this.entries.set(path, entry)
    if (entry.kind === "File") this.link(path, entry.identity)
    const parent = parentOf(path)
    if (parent === undefined) return
    const names = this.children.get(parent)
    if (names === undefined) this.children.set(parent, new Set([nameOf(path)]))
    else names.add(nameOf(path))
  }

  /** Removes a path and everything below it, and tells `removed` of each, the deepest first. */
  remove(path: string, removed: (path: string, entry: FileEntry) => void): void {
    this.removeBelow(path, removed)
    const entry = this.entries.get(path)
    if (entry === undefined) return
    this.unlink(path)
    this.entries.delete(path)
    const parent = parentOf(path)
    const names = parent === undefined ? undefined : this.children.get(parent)
    names?.delete(nameOf(path))
    if (parent !== undefined && names?.size === 0) this.children.delete(parent)
    removed(path, entry)
  }

  /** Removes what is below a path. */
  removeBelow(path: string, removed: (path: string, entry: FileEntry) => void): void {
    for (const name of this.namesIn(path)) this.remove(join(path, name), removed)
  }

  snapshot(): Map<string, FileEntry> {
    return new Map(this.entries)
  }

  private link(path: string, identity: string): void {
    const paths = this.paths.get(identity)
    if (paths === undefined) this.paths.set(identity, path)
    else if (typeof paths === "string") this.paths.set(identity, new Set([paths, path]))
    else paths.add(path)
  }

  private unlink(path: string): void {
    const entry = this.entries.get(path)
    const paths = entry?.kind === "File" ? this.paths.get(entry.identity) : undefined
    if (entry === undefined || paths === undefined) return
    if (typeof paths === "string") this.paths.delete(entry.identity)
    else if (paths.delete(path) && paths.size === 0) this.paths.delete(entry.identity)
  }
}
