import { type CrashMode, DiskDirectory, DiskFile, type DiskNode } from "./DiskNode.ts"
import type { Seed } from "./Seed.ts"

export type { CrashMode } from "./DiskNode.ts"

/** What a disk refuses, as a kernel says it. */
export class DiskError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

const fail = (code: string, message: string): never => {
  throw new DiskError(code, message)
}

/** Names below the root, from any way to write a path. */
const namesOf = (path: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const name of path.split("/")) {
    if (name === "..") names.pop()
    else if (name !== "" && name !== ".") names.push(name)
  }
  return names
}

/** The disk of a host: a tree of files that outlives crashes, as far as it was synced. `/tmp` is there from the beginning. */
export class Disk {
  /** Bytes of all files; beyond that it is full. */
  bytesMax = Number.POSITIVE_INFINITY
  private readonly now: () => number
  private readonly root: DiskDirectory
  private numbers = 1

  /** `now`: the wall clock's milliseconds. */
  constructor(now: () => number) {
    this.now = now
    this.root = new DiskDirectory(this.numbers++, 0o755, now())
    this.makeDirectory("/tmp", 0o777, false)
    this.root.sync()
  }

  crash(mode: CrashMode, seed: Seed): void {
    this.root.crash(mode, seed)
  }

  get bytes(): number {
    const count = (node: DiskNode): number =>
      node._tag === "File" ? node.size : [...node.names.values()].reduce((sum, each) => sum + count(each), 0)
    return count(this.root)
  }

  // --- finding ------------------------------------------------------------------------------------------

  find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.root
    for (const name of namesOf(path)) {
      if (node === undefined) return undefined
      if (node._tag !== "Directory") return fail("ENOTDIR", "not a directory")
      node = node.names.get(name)
    }
    return node
  }

  get(path: string): DiskNode {
    return this.find(path) ?? fail("ENOENT", "no such file or directory")
  }

  file(path: string): DiskFile {
    const node = this.get(path)
    return node._tag === "File" ? node : fail("EISDIR", "illegal operation on a directory")
  }

  directory(path: string): DiskDirectory {
    const node = this.get(path)
    return node._tag === "Directory" ? node : fail("ENOTDIR", "not a directory")
  }

  private parent(path: string): readonly [DiskDirectory, string] {
    const names = namesOf(path)
    const name = names.at(-1) ?? fail("EBUSY", "this is the root")
    return [this.directory(names.slice(0, -1).join("/")), name]
  }

  // --- changing -----------------------------------------------------------------------------------------

  create(path: string, mode: number): DiskFile {
    const [parent, name] = this.parent(path)
    const file = new DiskFile(this.numbers++, mode, this.now())
    parent.change([[name, file]])
    return file
  }

  write(file: DiskFile, at: number, bytes: Uint8Array): void {
    const more = Math.max(0, at + bytes.length - file.size)
    if (more > 0 && Number.isFinite(this.bytesMax) && this.bytes + more > this.bytesMax)
      fail("ENOSPC", "no space left on device")
    file.write(at, bytes)
    file.modifiedMillis = this.now()
  }

  truncate(file: DiskFile, length: number): void {
    file.truncate(length)
    file.modifiedMillis = this.now()
  }

  /** What a node holds, and that it is there, is safe from now on. */
  sync(path: string, node: DiskNode): void {
    node.sync()
    const names = namesOf(path)
    for (let depth = names.length; depth > 0; depth--) {
      const parent = this.find(names.slice(0, depth - 1).join("/"))
      const own = this.find(names.slice(0, depth).join("/"))
      if (parent?._tag === "Directory" && own !== undefined) parent.keep(own)
    }
  }

  makeDirectory(path: string, mode: number, recursive: boolean): void {
    const known = this.find(path)
    if (known !== undefined) {
      if (!recursive || known._tag !== "Directory") fail("EEXIST", "it is there already")
      return
    }
    const names = namesOf(path)
    if (recursive && names.length > 1) this.makeDirectory(names.slice(0, -1).join("/"), mode, true)
    const [parent, name] = this.parent(path)
    parent.change([[name, new DiskDirectory(this.numbers++, mode, this.now())]])
  }

  remove(path: string, recursive: boolean): void {
    const node = this.get(path)
    if (node._tag === "Directory" && node.names.size > 0 && !recursive) fail("ENOTEMPTY", "it is not empty")
    const [parent, name] = this.parent(path)
    parent.change([[name, undefined]])
  }

  /** At once, where both are in one directory. */
  rename(from: string, to: string): void {
    const node = this.get(from)
    const [parent, name] = this.parent(from)
    const [parentThen, nameThen] = this.parent(to)
    if (parent === parentThen) {
      if (name !== nameThen) {
        parent.change([
          [name, undefined],
          [nameThen, node]
        ])
      }
      return
    }
    parentThen.change([[nameThen, node]])
    parent.change([[name, undefined]])
  }

  link(from: string, to: string): void {
    const file = this.file(from)
    if (this.find(to) !== undefined) fail("EEXIST", "it is there already")
    const [parent, name] = this.parent(to)
    parent.change([[name, file]])
  }
}
