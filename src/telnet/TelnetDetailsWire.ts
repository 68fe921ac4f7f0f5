/** What subnegotiations say: the size of a window (RFC 1073), the kind of a terminal (RFC 1091), characters (RFC 2066). Pure. */

export interface Window {
  /** 0: the peer does not know. */
  readonly columns: number
  readonly rows: number
}

/** `undefined` for what is no size. */
export const parseWindow = (bytes: Uint8Array): Window | undefined =>
  bytes.length === 4
    ? { columns: (bytes[0]! << 8) | bytes[1]!, rows: (bytes[2]! << 8) | bytes[3]! }
    : undefined

export const formatWindow = ({ columns, rows }: Window): Uint8Array =>
  Uint8Array.of((columns >> 8) & 255, columns & 255, (rows >> 8) & 255, rows & 255)

/** RFC 1091: names have at most 40 characters. */
const nameMax = 40
const is = 0
const send = 1

export const sendTerminalType = Uint8Array.of(send)

/** The name that a peer tells; `true` where it asks for ours; `undefined` for what is neither. */
export const parseTerminalType = (bytes: Uint8Array): string | true | undefined => {
  if (bytes.length === 1 && bytes[0] === send) return true
  const name = bytes.subarray(1)
  return bytes[0] === is && name.length >= 1 && name.length <= nameMax
    ? String.fromCharCode(...name)
    : undefined
}

/** Cut at 40 characters; what is no ASCII is `?`. */
export const formatTerminalType = (name: string): Uint8Array => {
  const text = name.slice(0, nameMax).replace(/[^!-~]/g, "?")
  return Uint8Array.of(is, ...new TextEncoder().encode(text))
}

// --- RFC 2066: characters are UTF-8, or as they come ------------------------------------------------------

const request = 1
const accepted = 2
const rejected = 3
const tableIs = 4
const tableRejected = 5

const utf8 = "UTF-8"
const charsetOf = (code: number, name: string): Uint8Array =>
  Uint8Array.of(code, ...new TextEncoder().encode(name))

/** Asks for UTF-8. */
export const requestUtf8 = charsetOf(request, `;${utf8}`)

/** What is said to what a peer says about characters: UTF-8 is taken, nothing else; `undefined` where there is nothing to say. */
export const answerCharset = (bytes: Uint8Array): Uint8Array | undefined => {
  if (bytes[0] === tableIs) return Uint8Array.of(tableRejected)
  if (bytes[0] !== request) return undefined
  const text = String.fromCharCode(...bytes.subarray(1))
  // A version may stand in front, of translation tables that we would take: none.
  const list = text.replace(/^\[TTABLE\]./s, "")
  const names = list.slice(1).split(list.charAt(0))
  const found = names.find((name) => name.toUpperCase() === utf8)
  return found === undefined ? Uint8Array.of(rejected) : charsetOf(accepted, found)
}
