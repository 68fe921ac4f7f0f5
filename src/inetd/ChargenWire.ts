/** The rotating pattern of RFC 864: lines of 72 of the 95 printable ASCII characters, each line beginning one further. */

const first = 0x20
const characters = 95
const lineCharacters = 72
const lineBytes = lineCharacters + 2

/** More than this is never said in one datagram (RFC 864). */
export const datagramBytesMax = 512

/** All 95 lines, after which the pattern begins again: 7,030 bytes. Not to be written into. */
export const pattern: Uint8Array = (() => {
  const bytes = new Uint8Array(characters * lineBytes)
  for (let row = 0; row < characters; row++) {
    const at = row * lineBytes
    for (let column = 0; column < lineCharacters; column++) {
      bytes[at + column] = first + ((row + column) % characters)
    }
    bytes.set([0x0d, 0x0a], at + lineCharacters)
  }
  return bytes
})()

/** The first bytes of the pattern: what one datagram says. */
export const datagram = (bytes: number): Uint8Array => pattern.subarray(0, Math.min(bytes, datagramBytesMax))
