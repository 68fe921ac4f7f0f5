/** Text that comes in pieces: whether it is UTF-8 so far (RFC 3629), known before its end (RFC 6455 §8.1). */
import { isUtf8 } from "node:buffer"

const nothing = new Uint8Array(0)

/** A character has at most so many bytes. */
const characterBytesMax = 4

/** What can no longer become text is known at the byte that spoils it. */
export class NodeWebSocketText {
  /** The beginning of a character whose rest has not come. */
  private begun: Uint8Array = nothing

  /** Takes the next piece; false: this is no text, whatever comes. */
  push(piece: Uint8Array): boolean {
    let bytes = piece
    if (this.begun.length > 0) {
      bytes = new Uint8Array(this.begun.length + piece.length)
      bytes.set(this.begun)
      bytes.set(piece, this.begun.length)
    }
    const end = endOfWhole(bytes)
    // A copy: what came may be long.
    this.begun = end === bytes.length ? nothing : bytes.slice(end)
    return isUtf8(bytes.subarray(0, end)) && canGoOn(this.begun)
  }

  /** There is another text to come. */
  reset(): void {
    this.begun = nothing
  }
}

/** Where the last character begins if it is not all there. */
const endOfWhole = (bytes: Uint8Array): number => {
  const { length } = bytes
  for (let back = 1; back < characterBytesMax && back <= length; back++) {
    const byte = bytes[length - back]!
    if (byte < 0x80) return length
    if (byte >= 0xc0) return lengthOf(byte) > back ? length - back : length
  }
  return length
}

/** Told by the first byte; what is none has one byte, and is refused as that. */
const lengthOf = (first: number): number => (first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 1)

/** Whether anything makes a character of its beginning: if so, the least or the greatest continuation does. */
const canGoOn = (begun: Uint8Array): boolean =>
  begun.length === 0 || isUtf8(continued(begun, 0x80)) || isUtf8(continued(begun, 0xbf))

const continued = (begun: Uint8Array, by: number): Uint8Array => {
  const bytes = new Uint8Array(lengthOf(begun[0]!)).fill(by)
  bytes.set(begun)
  return bytes
}
