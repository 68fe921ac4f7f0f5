/** Received pieces that wait for a consumer: first in, first out, with what was handed back in front. */
export class InputQueue {
  /** All bytes that wait. */
  bytes = 0
  private pieces: Array<Uint8Array> = none
  private head = 0
  /** What the last piece is part of, while small ones are copied together behind it. */
  private block: Uint8Array | undefined = undefined

  push(piece: Uint8Array): void {
    if (this.pieces === none) this.pieces = []
    this.bytes += piece.length
    if (piece.length <= smallBytesMax && this.pieces.length - this.head >= piecesMax)
      return this.append(piece)
    this.block = undefined
    this.pieces.push(piece)
  }

  private append(piece: Uint8Array): void {
    const last = this.pieces.length - 1
    const used = this.block === undefined ? 0 : this.pieces[last]!.length
    if (this.block !== undefined && used + piece.length <= blockBytes) {
      this.block.set(piece, used)
      this.pieces[last] = this.block.subarray(0, used + piece.length)
    } else {
      this.block = new Uint8Array(blockBytes)
      this.block.set(piece)
      this.pieces.push(this.block.subarray(0, piece.length))
    }
  }

  unshift(piece: Uint8Array): void {
    if (this.pieces === none) this.pieces = []
    if (this.head === 0) this.makeRoomInFront()
    this.pieces[--this.head] = piece
    this.bytes += piece.length
  }

  shift(): Uint8Array | undefined {
    if (this.bytes === 0) return undefined
    const piece = this.pieces[this.head]!
    this.pieces[this.head++] = empty
    this.bytes -= piece.length
    if (this.bytes === 0) this.clear()
    else if (this.head > 32 && this.head * 2 > this.pieces.length) {
      this.pieces = this.pieces.slice(this.head)
      this.head = 0
    }
    return piece
  }

  /** All pieces, in their order. */
  takeAll(): ReadonlyArray<Uint8Array> {
    const pieces = this.pieces.slice(this.head)
    this.clear()
    return pieces
  }

  /** As much room as there are pieces, so that handing back many costs each of them the same. */
  private makeRoomInFront(): void {
    const room = Math.max(4, this.pieces.length)
    this.pieces = [...Array.from({ length: room }, () => empty), ...this.pieces]
    this.head = room
  }

  clear(): void {
    this.block = undefined
    this.pieces = none
    this.head = 0
    this.bytes = 0
  }
}

// Pieces wait as they came up to this number. Beyond it, small ones are copied together: an object for each takes more memory
// than a peer who sends single bytes should get for them.
const piecesMax = 32
const smallBytesMax = 512
const blockBytes = 4_096

// Shared by all empty queues: an idle connection owns no array.
const none: Array<Uint8Array> = []
const empty = new Uint8Array(0)

/** Shared by all to whom nothing came that had to wait. */
export const noInput = new InputQueue()
