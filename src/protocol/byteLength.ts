/** How many bytes a string has in UTF-8 (a lone surrogate becomes U+FFFD, three bytes), without encoding it. */
export const byteLength = (data: Uint8Array | string): number => {
  if (typeof data !== "string") return data.length
  let bytes = data.length
  for (let i = 0; i < data.length; i++) {
    const unit = data.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes++
    else {
      bytes += 2
      // A pair is four bytes for two units.
      if (unit >= 0xd800 && unit <= 0xdbff && isLow(data.charCodeAt(i + 1))) i++
    }
  }
  return bytes
}

/** False behind the end, where the unit is `NaN`. */
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff
