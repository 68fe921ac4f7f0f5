import { type NodeDatagramLibc, truncated } from "./NodeDatagramLibc.ts"
import { nameWords } from "./NodeDatagramPeers.ts"

/** Messages that one system call takes at most. */
export const slabMessages = 64
/** No UDP datagram is longer (RFC 768; jumbograms aside, which are told as too long). */
export const slotBytes = 65_536

// A line more than the slot: places that all begin at the same offset of a page compete for the same lines of the cache.
const slotStride = slotBytes + 64
const nameStrideWords = 8
const headerWords = 16
const partWords = 4

/** Words of a `struct mmsghdr`, of 64 bits each where that is what they have. */
const header = { name: 0, nameBytes: 2, parts: 4, partCount: 6, flags: 12, messageBytes: 14 } as const

/**
 * Room for 64 messages, as `recvmmsg` and `sendmmsg` take them: a `struct mmsghdr`, a `struct iovec`, a name and 64 KiB
 * for each. It is laid out once; the pointers in it lead into the slab itself and never change, and every length that is
 * written is checked against the room there is. The system touches it within a call only.
 *
 * Nearly all of it is untouched memory that takes no room before datagrams of that length come.
 */
export class NodeDatagramSlab {
  readonly names: Uint32Array
  private readonly libc: NodeDatagramLibc
  private readonly bytes: Uint8Array
  private readonly headers: Uint32Array
  private readonly parts: Uint32Array
  private readonly headersAt: bigint

  constructor(libc: NodeDatagramLibc) {
    this.libc = libc
    const headersBytes = slabMessages * headerWords * 4
    const partsBytes = slabMessages * partWords * 4
    const namesBytes = slabMessages * nameStrideWords * 4
    const fixed = headersBytes + partsBytes + namesBytes
    const buffer = new ArrayBuffer(fixed + slabMessages * slotStride)
    this.headers = new Uint32Array(buffer, 0, headersBytes / 4)
    this.parts = new Uint32Array(buffer, headersBytes, partsBytes / 4)
    this.names = new Uint32Array(buffer, headersBytes + partsBytes, namesBytes / 4)
    this.bytes = new Uint8Array(buffer, fixed)
    const start = libc.pointer(buffer)
    this.headersAt = start
    const headers = new BigUint64Array(buffer, 0, headersBytes / 8)
    const parts = new BigUint64Array(buffer, headersBytes, partsBytes / 8)
    for (let i = 0; i < slabMessages; i++) {
      const of = (i * headerWords) / 2
      headers[of + header.name / 2] = start + BigInt(headersBytes + partsBytes + i * nameStrideWords * 4)
      headers[of + header.parts / 2] = start + BigInt(headersBytes + i * partWords * 4)
      headers[of + header.partCount / 2] = 1n
      parts[(i * partWords) / 2] = start + BigInt(fixed + i * slotStride)
      parts[(i * partWords) / 2 + 1] = BigInt(slotBytes)
      this.headers[i * headerWords + header.nameBytes] = nameWords * 4
    }
  }

  // --- what came ----------------------------------------------------------------------------------------

  /** Receives up to `slabMessages`; how many, or a negative error number. */
  receive(fd: number): number {
    const count = this.libc.receive(fd, this.headersAt, slabMessages)
    return Math.min(count, slabMessages)
  }

  /** The whole length of message `i`, which may be more than there was room for. */
  lengthOf(i: number): number {
    return this.headers[i * headerWords + header.messageBytes]!
  }

  /** Whether message `i` is there whole. */
  isWhole(i: number): boolean {
    return this.lengthOf(i) <= slotBytes && (this.headers[i * headerWords + header.flags]! & truncated) === 0
  }

  /** The bytes of message `i`, copied. As those of all short buffers of Node, they may share a pool of 64 KiB. */
  bytesOf(i: number): Uint8Array {
    const from = i * slotStride
    const copy = Buffer.allocUnsafe(this.lengthOf(i))
    copy.set(this.bytes.subarray(from, from + copy.length))
    return copy
  }

  /** Where in `names` the sender of message `i` is; `undefined` where the system gave none. */
  nameOf(i: number): number | undefined {
    const at = i * headerWords + header.nameBytes
    const length = this.headers[at]!
    // It says how long it was, and is told next time how much room there is.
    this.headers[at] = nameWords * 4
    return length >= 16 && length <= nameWords * 4 ? i * nameStrideWords : undefined
  }

  // --- what leaves --------------------------------------------------------------------------------------

  /** Copies message `i` into its place; whether there was room. Its name comes from `nameAt` on, and has `nameBytes`. */
  write(i: number, bytes: Uint8Array): boolean {
    const length = bytes.length
    if (!(i < slabMessages && length >= 0 && length <= slotBytes)) return false
    this.bytes.set(bytes, i * slotStride)
    this.parts[i * partWords + 2] = length
    return true
  }

  nameAt(i: number): number {
    return i * nameStrideWords
  }

  /** The length of the name of message `i`; 0 on a connected socket. */
  setNameBytes(i: number, length: number): void {
    this.headers[i * headerWords + header.nameBytes] = Math.min(length, nameWords * 4)
  }

  /** Sends the messages from `from` on, up to `to`; how many left, or the negative error number of the first. */
  send(fd: number, from: number, to: number): number {
    return this.libc.send(
      fd,
      this.headersAt + BigInt(from * headerWords * 4),
      Math.min(to, slabMessages) - from
    )
  }
}
