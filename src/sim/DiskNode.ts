import type { Seed } from "./Seed.ts"

/** What a crash does with what was written and not synced: it stays, it goes, or some of it goes and the rest is torn. */
export type CrashMode = "keep" | "lose" | "tear"

/** Bytes that were put at a place, or a new length; and what was there before. */
interface Change {
  readonly at: number
  readonly bytes: Uint8Array
  readonly length: number
  readonly before: { readonly bytes: Uint8Array; readonly length: number }
}

const none = new Uint8Array(0)

/** A file: its bytes as programs see them, and how to take back what a crash can take. */
export class DiskFile {
  readonly _tag = "File"
  readonly number: number
  mode: number
  modifiedMillis: number
  private buffer = none
  private length = 0
  /** Since the last sync. */
  private changes: Array<Change> = []

  constructor(number: number, mode: number, millis: number) {
    this.number = number
    this.mode = mode
    this.modifiedMillis = millis
  }

  get size(): number {
    return this.length
  }

  /** A copy. */
  read(from = 0, to = this.length): Uint8Array {
    return this.buffer.slice(from, Math.min(to, this.length))
  }

  write(at: number, bytes: Uint8Array): void {
    this.change(at, bytes.slice(), Math.max(this.length, at + bytes.length))
  }

  truncate(length: number): void {
    this.change(length, none, length)
  }

  sync(): void {
    this.changes = []
  }

  crash(mode: CrashMode, seed: Seed): void {
    const { changes } = this
    if (mode !== "keep") this.takeBack()
    if (mode === "tear" && changes.length > 0) {
      const kept = seed.below(changes.length + 1)
      for (const { at, bytes, length } of changes.slice(0, kept)) this.put(at, bytes, length)
      const torn = changes[kept]
      if (torn !== undefined) {
        const part = torn.bytes.subarray(0, seed.below(torn.bytes.length + 1))
        this.put(torn.at, part, Math.max(this.length, torn.at + part.length))
      }
    }
    this.sync()
  }

  private change(at: number, bytes: Uint8Array, length: number): void {
    const end = length < this.length ? this.length : at + bytes.length
    const before = { bytes: this.read(at, end), length: this.length }
    this.changes.push({ at, bytes, length, before })
    this.put(at, bytes, length)
  }

  private takeBack(): void {
    for (const { at, before } of this.changes.toReversed()) this.put(at, before.bytes, before.length)
  }

  private put(at: number, bytes: Uint8Array, length: number): void {
    const end = Math.max(length, at + bytes.length)
    if (end > this.buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.buffer.length))
      larger.set(this.buffer.subarray(0, this.length))
      this.buffer = larger
    }
    this.buffer.set(bytes, at)
    // What is cut off is nowhere: a file that grows again has zeros there.
    if (length < this.length) this.buffer.fill(0, length, this.length)
    this.length = length
  }
}

export type DiskNode = DiskFile | DiskDirectory

/** Names that change together; undefined takes one away. */
type Renaming = ReadonlyArray<readonly [name: string, node: DiskNode | undefined]>

/** A directory; its names, too, are safe only when it was synced, or the file behind a new one. */
export class DiskDirectory {
  readonly _tag = "Directory"
  readonly number: number
  mode: number
  modifiedMillis: number
  readonly size = 4_096
  names = new Map<string, DiskNode>()
  private synced = new Map<string, DiskNode>()
  private changes: Array<Renaming> = []

  constructor(number: number, mode: number, millis: number) {
    this.number = number
    this.mode = mode
    this.modifiedMillis = millis
  }

  change(renaming: Renaming): void {
    rename(this.names, renaming)
    this.changes.push(renaming)
  }

  sync(): void {
    this.synced = new Map(this.names)
    this.changes = []
  }

  /** A file that is synced does not lose the name that it was made under, as on ext4 and XFS. */
  keep(file: DiskNode): void {
    for (const [name, node] of this.names) {
      const isNew = ![...this.synced.values()].includes(file)
      if (node === file && isNew) this.synced.set(name, node)
    }
  }

  crash(mode: CrashMode, seed: Seed): void {
    if (mode === "lose") this.names = new Map(this.synced)
    if (mode === "tear") {
      this.names = new Map(this.synced)
      const kept = seed.below(this.changes.length + 1)
      for (const renaming of this.changes.slice(0, kept)) rename(this.names, renaming)
    }
    this.sync()
    for (const node of this.names.values()) node.crash(mode, seed)
  }
}

const rename = (names: Map<string, DiskNode>, renaming: Renaming): void => {
  for (const [name, node] of renaming) {
    if (node === undefined) names.delete(name)
    else names.set(name, node)
  }
}
