/** MD5, RFC 1321. */
import { padded, rotateLeft, wordsToBytes } from "./HashBlocks.ts"

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
const sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 0x1_0000_0000))

export const md5 = (message: Uint8Array): Uint8Array<ArrayBuffer> => {
  const view = padded(message, true)
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  for (let at = 0; at < view.byteLength; at += 64) {
    let [a, b, c, d] = state as unknown as [number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const round = i >>> 4
      let mixed: number
      let word: number
      if (round === 0) {
        mixed = (b & c) | (~b & d)
        word = i
      } else if (round === 1) {
        mixed = (d & b) | (~d & c)
        word = (5 * i + 1) & 15
      } else if (round === 2) {
        mixed = b ^ c ^ d
        word = (3 * i + 5) & 15
      } else {
        mixed = c ^ (b | ~d)
        word = (7 * i) & 15
      }
      const sum = (a + mixed + sines[i]! + view.getInt32(at + word * 4, true)) | 0
      a = d
      d = c
      c = b
      b = (b + rotateLeft(sum, shifts[round * 4 + (i & 3)]!)) | 0
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
  }
  return wordsToBytes(state, true)
}
