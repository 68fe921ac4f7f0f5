import { type Chooser, type Chunking, chooserOf } from "./MemoryChunking.ts"
import type { Mark } from "./MemoryTls.ts"

/** One direction of a connection: bytes in order, handshake messages in their places, and one end behind all. */
export class MemoryPipe {
  /** Bytes under way above which a writer is asked to wait; also the largest piece delivered at once. */
  readonly capacityBytes: number
  /** All bytes under way. */
  bytes = 0
  /** Nothing will follow. */
  ended = false
  private readonly choose: Chooser | undefined
  private items: Array<Uint8Array | Mark> = []
  /** How much of the first item is gone. */
  private offset = 0
  private marks = 0

  constructor(capacityBytes: number, chunking: Chunking) {
    this.capacityBytes = capacityBytes
    this.choose = chooserOf(chunking)
  }

  get full(): boolean {
    return this.bytes > this.capacityBytes
  }

  /** Takes possession of the bytes. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.items.push(bytes)
    this.bytes += bytes.length
  }

  pushMark(mark: Mark): void {
    this.items.push(mark)
    this.marks++
  }

  /** The handshake message whose turn it is. */
  get mark(): Mark | undefined {
    const first = this.items[0]
    return first === undefined || first instanceof Uint8Array ? undefined : first
  }

  shiftMark(): void {
    this.items.shift()
    this.marks--
  }

  /** Bytes ahead of the next handshake message. */
  get readable(): number {
    if (this.marks === 0) return this.bytes
    let bytes = -this.offset
    for (const item of this.items) {
      if (!(item instanceof Uint8Array)) break
      bytes += item.length
    }
    return bytes
  }

  /** The next piece; call it only while something is `readable`. */
  take(): Uint8Array {
    const left = (this.items[0] as Uint8Array).length - this.offset
    const length =
      this.choose === undefined
        ? Math.min(left, this.capacityBytes)
        : pick(this.choose, Math.min(this.readable, this.capacityBytes))
    this.bytes -= length
    return length <= left ? this.takeFirst(length) : this.gather(length)
  }

  /** Drops all that is under way. */
  clear(): void {
    this.items = []
    this.offset = 0
    this.marks = 0
    this.bytes = 0
  }

  private takeFirst(length: number): Uint8Array {
    const first = this.items[0] as Uint8Array
    const from = this.offset
    if (from + length < first.length) {
      this.offset = from + length
    } else {
      this.items.shift()
      this.offset = 0
    }
    return length === first.length ? first : first.subarray(from, from + length)
  }

  private gather(length: number): Uint8Array {
    const all = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const left = (this.items[0] as Uint8Array).length - this.offset
      const part = this.takeFirst(Math.min(left, length - filled))
      all.set(part, filled)
      filled += part.length
    }
    return all
  }
}

const pick = (choose: Chooser, available: number): number => {
  const length = Math.floor(choose(available))
  return length >= 1 ? Math.min(length, available) : 1
}
