/** Lists of values, each behind its length in two bytes. Twisted: `ListOf`. */
import * as Result from "effect/Result"
import { valueBytesMax } from "./AmpWire.ts"

/** A list has no more elements than this: 2 bytes on the wire would otherwise be many in memory. */
export const elementsMax = 65_536

/** The elements' bytes. An element that is cut off fails; Twisted leaves it out without a word. */
export const split = (bytes: Uint8Array): Result.Result<ReadonlyArray<Uint8Array>, string> => {
  const elements: Array<Uint8Array> = []
  let at = 0
  while (at < bytes.length) {
    if (at + 2 > bytes.length) return Result.fail("a list that ends within a length")
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    at += 2
    if (at + length > bytes.length) return Result.fail("a list that ends within an element")
    if (elements.length === elementsMax) return Result.fail(`a list of more than ${elementsMax} elements`)
    elements.push(bytes.subarray(at, at + length))
    at += length
  }
  return Result.succeed(elements)
}

export const join = (elements: ReadonlyArray<Uint8Array>): Result.Result<Uint8Array, string> => {
  if (elements.length > elementsMax) return Result.fail(`a list of more than ${elementsMax} elements`)
  let size = 0
  for (const element of elements) {
    if (element.length > valueBytesMax) {
      return Result.fail(`an element of ${element.length} bytes, where ${valueBytesMax} are the limit`)
    }
    size += 2 + element.length
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const element of elements) {
    bytes[at++] = element.length >>> 8
    bytes[at++] = element.length & 255
    bytes.set(element, at)
    at += element.length
  }
  return Result.succeed(bytes)
}
