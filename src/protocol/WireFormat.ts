/** Bytes for people: no control character, no bidirectional trick and no escape sequence gets through. Pure. */
import { visible } from "../reactor/EndpointExcerpt.ts"

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const printable = /^[\t\n\r\x20-\x7e]*$/

/** The text on one line: UTF-8 with what cannot be seen escaped (`\r\n`, `\x1b`), bytes that are no UTF-8 as `\xff`. */
export const text = (bytes: Uint8Array): string => {
  const decoded = decode(bytes)
  if (decoded !== undefined) return visible(decoded.replaceAll("\\", "\\\\"))
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    if (character === "\\") return "\\\\"
    return printable.test(character) ? visible(character) : `\\x${hexOf(byte)}`
  }).join("")
}

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** The first bytes, not torn within a character of UTF-8 where that can be helped. */
export const head = (bytes: Uint8Array, bytesMax: number): Uint8Array => {
  if (bytes.length <= bytesMax) return bytes
  let end = bytesMax
  while (end > bytesMax - 4 && end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end > bytesMax - 4 && end > 0 ? end : bytesMax)
}

const perLine = 16

/** Sixteen bytes a line, each line begun by a line feed: offset, bytes in hexadecimal, and what of them is ASCII. */
export const hexdump = (bytes: Uint8Array): string => {
  let dump = ""
  for (let offset = 0; offset < bytes.length; offset += perLine) {
    const line = bytes.subarray(offset, offset + perLine)
    const hex = Array.from(line, hexOf)
    const left = hex.slice(0, 8).join(" ").padEnd(23)
    const right = hex.slice(8).join(" ").padEnd(23)
    const ascii = Array.from(line, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
    ).join("")
    dump += `\n  ${offset.toString(16).padStart(8, "0")}  ${left}  ${right}  |${ascii}|`
  }
  return dump
}

const hexOf = (byte: number): string => byte.toString(16).padStart(2, "0")
