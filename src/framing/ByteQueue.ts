/** Shorter pieces are copied together, so that a byte costs about a byte however it came. */
const copiedBytesMax = 512
const blockBytesMin = 64
const blockBytesMax = 16_384
/** Results up to this size are copies: a view would cost as much and keep its whole piece alive. */
const copiedTakeBytesMax = 64

/**
 * Bytes in a row that come in pieces and leave in other pieces: first in, first out, with room to hand back in
 * front. Every operation is O(bytes it returns), amortised; `indexOf` never looks at a byte twice for one needle.
 *
 * Pieces belong to the queue once pushed: do not write into them again. What comes out may be a view of what went
 * in: do not write into it either.
 *
 * Memory stays near the bytes held: pieces below 512 bytes are copied together into blocks, and so is a larger
 * piece that is less than half of the `ArrayBuffer` it would keep alive.
 */
export class ByteQueue {
  /** The bytes held. */
  length = 0
  /** Bytes copied or searched so far: a measure of work that does not depend on time. */
  workBytes = 0
  private pieces: Array<Uint8Array> = none
  private head = 0
  /** Bytes of the first piece that have left already. */
  private offset = 0
  /** The last piece while it is a block of ours with room; only `tailLength` bytes of it are in the queue. */
  private tail: Uint8Array | undefined = undefined
  private tailLength = 0
  private blockBytes = blockBytesMin

  // Positions that survive taking: bytes, and pieces, that have left so far.
  private taken = 0
  private dropped = 0
  /** `needle` does not start in [from, to); `to` lies in the piece with that number, which starts at `start`. */
  private search: { needle: Uint8Array; from: number; to: number; piece: number; start: number } | undefined

  /** How many pieces the bytes are held in. */
  get pieceCount(): number {
    return this.pieces.length - this.head
  }

  /** Appends bytes. Empty ones are ignored. */
  push(bytes: Uint8Array): void {
    const size = bytes.length
    if (size === 0) return
    if (this.pieces === none) this.pieces = []
    this.length += size
    if (size < copiedBytesMax) return this.append(bytes)
    this.seal()
    this.blockBytes = blockBytesMin
    this.pieces.push(keepsTooMuch(bytes) ? this.copyOf(bytes) : bytes)
  }

  /** Hands bytes back: they are the first to leave. */
  unshift(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    // Small pieces in front merge as the digits of a binary counter do: few pieces, each byte copied rarely.
    let piece = bytes.length < copiedBytesMax && keepsTooMuch(bytes) ? this.copyOf(bytes) : bytes
    while (piece.length < copiedBytesMax && this.length > 0) {
      const first = this.firstLength()
      if (first > piece.length) break
      const merged = new Uint8Array(piece.length + first)
      merged.set(piece)
      this.copyOut(merged, piece.length, first)
      this.discard(first)
      this.workBytes += merged.length
      piece = merged
    }
    if (this.length === 0) this.clear()
    if (this.pieces === none) this.pieces = []
    if (this.offset > 0) {
      this.pieces[this.head] = this.first()
      if (this.head === this.pieces.length - 1) this.tail = undefined
      this.offset = 0
    }
    if (this.head === 0) this.makeRoomInFront()
    this.pieces[--this.head] = piece
    this.length += piece.length
    this.taken -= piece.length
    this.dropped--
    this.search = undefined
  }

  /** The first `n` bytes, which stay; `undefined` while there are fewer. A view or a copy. */
  peek(n: number): Uint8Array | undefined {
    if (n > this.length) return undefined
    if (n > copiedTakeBytesMax && n <= this.firstLength()) {
      return this.pieces[this.head]!.subarray(this.offset, this.offset + n)
    }
    const out = new Uint8Array(n)
    this.copyOut(out, 0, n)
    this.workBytes += n
    return out
  }

  /** Takes exactly `n` bytes; `undefined`, and takes nothing, while there are fewer. A view or a copy. */
  take(n: number): Uint8Array | undefined {
    const bytes = this.peek(n)
    if (bytes !== undefined) this.discard(n)
    return bytes
  }

  /** Takes the first piece as it is held; `undefined` when empty. The cheapest way to empty the queue. */
  shift(): Uint8Array | undefined {
    if (this.length === 0) return undefined
    const piece = this.first()
    this.discard(piece.length)
    return piece
  }

  /** Takes everything. */
  takeAll(): Uint8Array {
    if (this.length === 0) return new Uint8Array(0)
    return this.pieceCount === 1 ? this.shift()! : this.take(this.length)!
  }

  /** Drops the first `n` bytes, or all when there are fewer. */
  discard(n: number): void {
    if (n >= this.length) return this.clear()
    let rest = n
    for (;;) {
      const first = this.firstLength()
      if (rest < first) break
      rest -= first
      this.pieces[this.head++] = empty
      this.dropped++
      this.offset = 0
    }
    this.offset += rest
    this.length -= n
    this.taken += n
    if (this.head > 32 && this.head * 2 > this.pieces.length) {
      this.pieces = this.pieces.slice(this.head)
      this.head = 0
    }
  }

  clear(): void {
    this.taken += this.length
    this.dropped += this.pieceCount
    this.length = 0
    this.pieces = none
    this.head = 0
    this.offset = 0
    this.tail = undefined
    this.blockBytes = blockBytesMin
  }

  /**
   * Where `needle` first occurs at or behind `from`, counted from the first byte; -1 if nowhere. Searching again for
   * the same `Uint8Array` (the same object) goes on where the last search ended.
   */
  indexOf(needle: Uint8Array, from = 0): number {
    if (needle.length === 0) return Math.min(from, this.length)
    const begin = this.taken + from
    const known = this.search?.needle === needle ? this.search : undefined
    const resumes = known !== undefined && known.from <= begin && begin <= known.to
    let position = resumes ? known.to : begin
    let piece = this.head
    let start = this.taken - this.offset
    if (known !== undefined && known.piece >= this.dropped && known.start <= position) {
      piece = known.piece - this.dropped + this.head
      start = known.start
    }
    // The first position about which this search can say nothing yet.
    const open = Math.max(position, this.taken + this.length - needle.length + 1)
    const search = { needle, from: resumes ? known.from : begin, to: open, piece: this.dropped, start }
    this.search = search
    for (; piece < this.pieces.length; piece++) {
      const size = this.sizeOf(piece)
      if (start <= open) {
        search.piece = piece - this.head + this.dropped
        search.start = start
      }
      if (position < start + size) {
        const found = this.findFrom(piece, needle, position - start)
        if (found >= 0) {
          search.to = start + found
          search.piece = piece - this.head + this.dropped
          search.start = start
          return start + found - this.taken
        }
        position = start + size
      }
      start += size
    }
    return -1
  }

  /** Where `needle` starts in this piece, at or behind `from`, be it that it ends in a later one. */
  private findFrom(index: number, needle: Uint8Array, from: number): number {
    const piece = this.pieces[index]!
    const size = this.sizeOf(index)
    let at = from
    if (size - at >= blockBytesMin) {
      const found = Buffer.from(piece.buffer, piece.byteOffset, size).indexOf(needle, at)
      this.workBytes += (found < 0 ? size : found + needle.length) - at
      if (found >= 0) return found
      at = Math.max(at, size - needle.length + 1)
    }
    for (; at < size; at++) {
      this.workBytes++
      if (piece[at] === needle[0] && this.matches(index, at, needle)) return at
    }
    return -1
  }

  private matches(index: number, at: number, needle: Uint8Array): boolean {
    let piece = this.pieces[index]!
    let size = this.sizeOf(index)
    for (let i = 0; i < needle.length; i++) {
      while (at === size) {
        if (++index === this.pieces.length) return false
        piece = this.pieces[index]!
        size = this.sizeOf(index)
        at = 0
      }
      this.workBytes++
      if (piece[at++] !== needle[i]) return false
    }
    return true
  }

  private append(bytes: Uint8Array): void {
    this.workBytes += bytes.length
    let from = 0
    while (from < bytes.length) {
      if (this.tail === undefined) {
        this.tail = new Uint8Array(Math.max(this.blockBytes, bytes.length - from))
        this.tailLength = 0
        this.pieces.push(this.tail)
        this.blockBytes = Math.min(this.blockBytes * 2, blockBytesMax)
      }
      const n = Math.min(bytes.length - from, this.tail.length - this.tailLength)
      if (n === 1) this.tail[this.tailLength] = bytes[from]!
      else this.tail.set(n === bytes.length ? bytes : bytes.subarray(from, from + n), this.tailLength)
      this.tailLength += n
      from += n
      if (this.tailLength === this.tail.length) this.tail = undefined
    }
  }

  /** Ends the block that small pieces go to. It is 64 bytes, or no larger than the full one before it times two. */
  private seal(): void {
    if (this.tail === undefined) return
    this.pieces[this.pieces.length - 1] = this.tail.subarray(0, this.tailLength)
    this.tail = undefined
  }

  private copyOf(bytes: Uint8Array): Uint8Array {
    this.workBytes += bytes.length
    return new Uint8Array(bytes)
  }

  private copyOut(out: Uint8Array, at: number, n: number): void {
    let piece = this.head
    let from = this.offset
    while (n > 0) {
      const part = Math.min(n, this.sizeOf(piece) - from)
      out.set(this.pieces[piece]!.subarray(from, from + part), at)
      at += part
      n -= part
      from = 0
      piece++
    }
  }

  private sizeOf(index: number): number {
    return this.tail !== undefined && index === this.pieces.length - 1
      ? this.tailLength
      : this.pieces[index]!.length
  }

  private firstLength(): number {
    return this.length === 0 ? 0 : this.sizeOf(this.head) - this.offset
  }

  private first(): Uint8Array {
    const piece = this.pieces[this.head]!
    const size = this.sizeOf(this.head)
    return this.offset === 0 && size === piece.length ? piece : piece.subarray(this.offset, size)
  }

  private makeRoomInFront(): void {
    const room = this.pieces.length + 4
    const pieces = Array.from<Uint8Array>({ length: room }).fill(empty)
    for (const piece of this.pieces) pieces.push(piece)
    this.pieces = pieces
    this.head = room
  }
}

// Shared by all empty queues: an idle connection owns no array.
const none: Array<Uint8Array> = []
const empty = new Uint8Array(0)

/** Whether a view is less than half of the memory that it would keep alive. */
const keepsTooMuch = (bytes: Uint8Array): boolean => bytes.length * 2 < bytes.buffer.byteLength
