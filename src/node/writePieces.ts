import type { Writable } from "node:stream"

/** Pieces together no larger than this are copied into one buffer; a larger lot goes out as a vectored write. */
export const joinBytesMax = 65_536

/**
 * Writes all pieces at once, in order; false asks to wait for `drain`. A stream that the system emptied within
 * the call needs no waiting, whatever `write` says: it compares with the mark before it writes.
 */
export const writePieces = (stream: Writable, pieces: ReadonlyArray<Uint8Array | string>): boolean =>
  write(stream, pieces) || stream.writableLength === 0

const write = (stream: Writable, pieces: ReadonlyArray<Uint8Array | string>): boolean => {
  if (pieces.length === 1) {
    const piece = pieces[0]!
    return typeof piece === "string" ? stream.write(piece, "utf8") : stream.write(outside(piece))
  }
  let bytes = 0
  for (const piece of pieces) bytes += typeof piece === "string" ? piece.length * 3 : piece.length
  if (bytes <= joinBytesMax) return stream.write(join(pieces, bytes))
  stream.cork()
  let more = true
  for (const piece of pieces)
    more = typeof piece === "string" ? stream.write(piece, "utf8") : stream.write(piece)
  stream.uncork()
  return more
}

/** V8 keeps arrays up to this size in its heap. */
const insideBytesMax = 64

/** Node writes what lies outside of the heap: to have it moved there costs seven times a copy. */
const outside = (piece: Uint8Array): Uint8Array =>
  piece.length > insideBytesMax || Buffer.isBuffer(piece) ? piece : Buffer.from(piece)

/** `bytesMax` is an upper bound: a string may need three bytes for one unit. */
const join = (pieces: ReadonlyArray<Uint8Array | string>, bytesMax: number): Uint8Array => {
  const all = Buffer.allocUnsafe(bytesMax)
  let offset = 0
  for (const piece of pieces) {
    if (typeof piece === "string") offset += all.write(piece, offset, "utf8")
    else {
      all.set(piece, offset)
      offset += piece.length
    }
  }
  return offset === bytesMax ? all : all.subarray(0, offset)
}
