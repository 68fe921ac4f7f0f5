/** What both sides of the text protocol share (doc/protocol.txt of memcached): keys, numbers, limits. Pure. */

/** The longest key, in bytes. */
export const keyBytesMax = 250
/** The largest value unless told otherwise, as memcached's `-I`. */
export const valueBytesMax = 1_048_576
/** What a meta command may have behind `O`. */
export const opaqueBytesMax = 31
/** The longest line: a `get` of many keys. */
export const lineBytesMax = 65_536
/** Client flags are 32 bits. */
export const flagsMax = 0xffff_ffff
/** A time of more seconds than these is a date, not a duration: 30 days. */
export const relativeSecondsMax = 2_592_000

/** What a server takes. doc/protocol.txt forbids control characters; memcached takes them, and memcaslap's keys have some. */
const taken = /^[^\0\n\r ]{1,250}$/
const sayable = /^[!-~\x80-\xff]{1,250}$/
const sayableAscii = /^[!-~]{1,250}$/

/** Whether these bytes, as latin1, can be a key: 1 to 250 of them, no space, NUL, CR or LF. */
export const isKey = (bytes: string): boolean => taken.test(bytes)

/** A key as it stands on the wire, a character for each byte; `undefined` if it has control characters or cannot be one. Text is UTF-8. */
export const keyOf = (text: string): string | undefined => {
  if (sayableAscii.test(text)) return text
  const bytes = Buffer.from(text).toString("latin1")
  return sayable.test(bytes) ? bytes : undefined
}

/** The word of a line at a place, 0 for the first; a space ends each. */
export const wordAt = (line: string, place: number): string | undefined => {
  let from = 0
  for (let i = 0; i < place; i++) {
    from = line.indexOf(" ", from) + 1
    if (from === 0) return undefined
  }
  const end = line.indexOf(" ", from)
  return end < 0 ? line.slice(from) : line.slice(from, end)
}

/** Digits only, no more than `max`; else `undefined`. */
export const unsigned = (text: string | undefined, max: number): number | undefined => {
  if (text === undefined || text.length === 0 || text.length > 15) return undefined
  let n = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return undefined
    n = n * 10 + digit
  }
  return n <= max ? n : undefined
}

/** A number of 64 bits. Small ones are numbers, because most are. */
export const uint64 = (text: string | undefined): bigint | undefined => {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined
  const n = BigInt(text)
  return n < 2n ** 64n ? n : undefined
}

/** A CAS, 64 bits: a number where one holds it exactly, else a bigint. Two are the same exactly if `===` says so. */
export type Cas = number | bigint

export const casOf = (text: string | undefined): Cas | undefined => {
  const small = unsigned(text, Number.MAX_SAFE_INTEGER)
  if (small !== undefined) return small
  const n = uint64(text)
  return n !== undefined && n <= Number.MAX_SAFE_INTEGER ? Number(n) : n
}

/** Seconds, perhaps negative: already over. */
export const seconds = (text: string | undefined): number | undefined => {
  if (text?.startsWith("-") === true) {
    const n = unsigned(text.slice(1), 2_147_483_648)
    return n === undefined ? undefined : -n
  }
  return unsigned(text, 4_294_967_295)
}

/** When something with this time is over, in milliseconds since 1970; `Infinity` for never. */
export const expiryOf = (time: number, nowMillis: number): number => {
  if (time === 0) return Number.POSITIVE_INFINITY
  if (time < 0) return 0
  return time > relativeSecondsMax ? time * 1000 : nowMillis + time * 1000
}
