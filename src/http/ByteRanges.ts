/**
 * `Range: bytes=0-3,5-`, of a representation of a known size. Pure. RFC 9110 §14.
 *
 * What is no range of bytes is as if it were not there. So are too many of them (CVE-2011-3192); those that overlap
 * become one, so that an answer is never longer than what it is of.
 */

export interface ByteRange {
  /** The first byte. */
  readonly from: number
  /** Behind the last one. */
  readonly to: number
}

/** More in one request are ignored, and it is answered as a whole. */
export const rangesMax = 10

/** As text: `Number` would take more than digits, and round what is longer. */
const digits = /^\d{1,15}$/
const spec = /^(\d*)-(\d*)$/

/**
 * `undefined`: the header is to be ignored. Empty: nothing of it is there (416). Else in the order in which they were
 * asked for, those that overlap or touch joined.
 */
export const parse = (header: string, sizeBytes: number): ReadonlyArray<ByteRange> | undefined => {
  const [, list] = /^\s*bytes\s*=([^]*)$/i.exec(header) ?? []
  // Nothing could satisfy a range of an empty file: it is sent as it is.
  if (list === undefined || sizeBytes === 0) return undefined
  const specs = list.split(",", rangesMax * 4).flatMap((text) => {
    const trimmed = text.trim()
    return trimmed === "" ? [] : [trimmed]
  })
  if (specs.length === 0 || specs.length > rangesMax) return undefined
  const ranges: Array<ByteRange> = []
  for (const text of specs) {
    const range = one(text, sizeBytes)
    if (range === undefined) return undefined
    if (range.from < range.to) ranges.push(range)
  }
  return joined(ranges)
}

/** Empty where it is behind the end; `undefined` for what is none. */
const one = (text: string, sizeBytes: number): ByteRange | undefined => {
  const [, first = "", last = ""] = spec.exec(text) ?? []
  if (first === "") {
    if (!/^\d+$/.test(last)) return undefined
    const length = digits.test(last) ? Number(last) : Number.MAX_SAFE_INTEGER
    return { from: Math.max(0, sizeBytes - length), to: sizeBytes }
  }
  const from = digits.test(first) ? Number(first) : Number.MAX_SAFE_INTEGER
  if (last === "") return { from: Math.min(from, sizeBytes), to: sizeBytes }
  const end = digits.test(last) ? Number(last) : Number.MAX_SAFE_INTEGER
  if (end < from) return undefined
  return { from: Math.min(from, sizeBytes), to: Math.min(end + 1, sizeBytes) }
}

const joined = (ranges: ReadonlyArray<ByteRange>): ReadonlyArray<ByteRange> => {
  const kept: Array<ByteRange> = []
  for (const range of ranges) {
    let { from, to } = range
    let place = kept.length
    for (let i = kept.length - 1; i >= 0; i--) {
      const other = kept[i]!
      if (other.from > to || from > other.to) continue
      from = Math.min(from, other.from)
      to = Math.max(to, other.to)
      kept.splice(i, 1)
      place = i
    }
    kept.splice(place, 0, { from, to })
  }
  return kept
}

/** `bytes 0-3/10`. */
export const contentRange = ({ from, to }: ByteRange, sizeBytes: number): string =>
  `bytes ${from}-${to - 1}/${sizeBytes}`
