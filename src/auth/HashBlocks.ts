/** What MD5 and the SHA family share: the message in blocks of 64 bytes, the last one filled up with its length in bits. */

/** `message 80 00... length`, a multiple of 64 bytes; the length as eight bytes, little-endian for MD5. */
export const padded = (message: Uint8Array, littleEndian: boolean): DataView<ArrayBuffer> => {
  const size = (message.length + 9 + 63) & ~63
  const bytes = new Uint8Array(size)
  bytes.set(message)
  bytes[message.length] = 0x80
  const view = new DataView(bytes.buffer)
  const low = (message.length << 3) >>> 0
  const high = Math.floor(message.length / 0x2000_0000)
  view.setUint32(size - 8, littleEndian ? low : high, littleEndian)
  view.setUint32(size - 4, littleEndian ? high : low, littleEndian)
  return view
}

export const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

export const wordsToBytes = (words: ArrayLike<number>, littleEndian: boolean): Uint8Array<ArrayBuffer> => {
  const view = new DataView(new ArrayBuffer(words.length * 4))
  for (let i = 0; i < words.length; i++) view.setUint32(i * 4, words[i]! >>> 0, littleEndian)
  return new Uint8Array(view.buffer)
}
