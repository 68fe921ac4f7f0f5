/** `If-Match` and its kind, in the order of RFC 9110 §13.2.2. Pure. */
import * as DateTime from "effect/DateTime"
import * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"

/** What a representation is known by. */
export interface Validators {
  /** As in the header: `"..."` or `W/"..."`. */
  readonly etag: string | undefined
  readonly modifiedMillis: number | undefined
}

type Fields = Readonly<Record<string, string | undefined>>

/** What is to be answered instead, if anything: 304 or 412. `exists`: there is a representation, for `*`. */
export const evaluate = (
  method: string,
  headers: Fields,
  { etag, modifiedMillis }: Validators,
  exists = true
): 304 | 412 | undefined => {
  const modified = modifiedMillis === undefined ? undefined : Math.floor(modifiedMillis / 1000) * 1000
  const { "if-match": match, "if-none-match": noneMatch } = headers
  const reads = method === "GET" || method === "HEAD"
  if (match !== undefined) {
    if (!(isAny(match) ? exists : etag !== undefined && tagsOf(match).some((tag) => isSame(tag, etag))))
      return 412
  } else if (modified !== undefined) {
    const since = millisOf(headers["if-unmodified-since"])
    if (since !== undefined && modified > since) return 412
  }
  if (noneMatch !== undefined) {
    const found = isAny(noneMatch)
      ? exists
      : etag !== undefined && tagsOf(noneMatch).some((tag) => withoutWeakness(tag) === withoutWeakness(etag))
    return found ? (reads ? 304 : 412) : undefined
  }
  if (reads && modified !== undefined) {
    const since = millisOf(headers["if-modified-since"])
    if (since !== undefined && modified <= since) return 304
  }
  return undefined
}

/**
 * Whether a `Range` is to be looked at: what the client has a part of is still the same. A date counts only if it is old enough for
 * another change within its second to be impossible (RFC 9110 §8.8.2.2).
 */
export const rangeApplies = (
  ifRange: string | undefined,
  { etag, modifiedMillis }: Validators,
  nowMillis: number
): boolean => {
  if (ifRange === undefined) return true
  const text = ifRange.trim()
  if (/^(W\/)?"/.test(text)) return etag !== undefined && isSame(text, etag)
  const date = millisOf(text)
  if (date === undefined || modifiedMillis === undefined) return false
  return Math.floor(modifiedMillis / 1000) * 1000 === date && nowMillis - date >= 2000
}

const isAny = (list: string): boolean => list.trim() === "*"

/** The strong comparison: a weak tag equals nothing. */
const isSame = (tag: string, etag: string): boolean => tag === etag && tag.startsWith('"')

const withoutWeakness = (tag: string): string => (tag.startsWith("W/") ? tag.slice(2) : tag)

/** Tags may have commas in them. */
const tagsOf = (list: string): ReadonlyArray<string> =>
  list.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []

const millisOf = (date: string | undefined): number | undefined => {
  const parsed = date === undefined ? undefined : Headers.parseHttpDate(date)
  return parsed !== undefined && Result.isSuccess(parsed) ? DateTime.toEpochMillis(parsed.success) : undefined
}
