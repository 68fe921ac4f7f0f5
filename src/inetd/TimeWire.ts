/**
 * Seconds since 1900-01-01 00:00 UTC in 32 bits, the most significant byte first (RFC 868). The number runs over on
 * 2036-02-07 06:28:16 UTC and begins with 0 again: whoever reads one must know roughly what time it is.
 */

export const bytesCount = 4

/** From 1900 to 1970. */
const epochSeconds = 2_208_988_800
const wrapSeconds = 2 ** 32

/** The four bytes of a time in milliseconds since 1970. Fractions of a second are cut off. */
export const encode = (unixMillis: number): Uint8Array => {
  const bytes = new Uint8Array(bytesCount)
  const seconds = Math.floor(unixMillis / 1000) + epochSeconds
  new DataView(bytes.buffer).setUint32(0, ((seconds % wrapSeconds) + wrapSeconds) % wrapSeconds)
  return bytes
}

/**
 * The time that four bytes mean, in milliseconds since 1970: of all that they can mean, the one closest to `nearMillis`. So an
 * error of our own clock of up to 68 years does no harm. `undefined` for other than four bytes.
 */
export const decode = (bytes: Uint8Array, nearMillis: number): number | undefined => {
  if (bytes.length !== bytesCount) return undefined
  const seconds = new DataView(bytes.buffer, bytes.byteOffset, bytesCount).getUint32(0) - epochSeconds
  const wraps = Math.round((nearMillis / 1000 - seconds) / wrapSeconds)
  return (seconds + wraps * wrapSeconds) * 1000
}
