/**
 * SASLprep, RFC 4013: how names and passwords are written so that two spellings of one are the same. Complete, after the
 * tables of Unicode 3.2 that it is made of, but for the normalization, which is that of the platform's Unicode (the same for
 * all characters of 3.2).
 */
import * as Result from "effect/Result"
import * as Tables from "./SaslPrepTables.generated.ts"

interface Ranges {
  readonly from: ReadonlyArray<number>
  readonly to: ReadonlyArray<number>
}

const rangesOf = (encoded: string): Ranges => {
  const from: Array<number> = []
  const to: Array<number> = []
  let at = 0
  for (const part of encoded.split(" ")) {
    const [distance, more] = part.split(".")
    at += Number.parseInt(distance!, 36)
    from.push(at)
    at += more === undefined ? 0 : Number.parseInt(more, 36)
    to.push(at)
  }
  return { from, to }
}

const has = ({ from, to }: Ranges, point: number): boolean => {
  let low = 0
  let high = from.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (from[middle]! <= point) low = middle + 1
    else high = middle
  }
  return low > 0 && point <= to[low - 1]!
}

let tables: Readonly<Record<Exclude<keyof typeof Tables, "default">, Ranges>> | undefined
/** Most names and passwords never need them. */
const tablesOf = () =>
  (tables ??= {
    spaces: rangesOf(Tables.spaces),
    nothing: rangesOf(Tables.nothing),
    prohibited: rangesOf(Tables.prohibited),
    rightToLeft: rangesOf(Tables.rightToLeft),
    leftToRight: rangesOf(Tables.leftToRight),
    unassigned: rangesOf(Tables.unassigned)
  })

export interface Options {
  /**
   * What becomes of characters that came after Unicode 3.2: allowed in what is asked with (RFC 3454's queries), refused in
   * what is stored. Default: `allow`.
   */
  readonly unassigned?: "allow" | "refuse" | undefined
}

const printableAscii = /^[\x20-\x7e]*$/

/** The prepared text; or in a clause why it cannot be one: `it has a control character`. */
export const prepare = (text: string, options: Options = {}): Result.Result<string, string> => {
  if (printableAscii.test(text)) return Result.succeed(text)
  const { leftToRight, nothing, prohibited, rightToLeft, spaces, unassigned } = tablesOf()
  let mapped = ""
  for (const character of text) {
    const point = character.codePointAt(0)!
    if (!has(nothing, point)) mapped += has(spaces, point) ? " " : character
  }
  const prepared = mapped.normalize("NFKC")
  const points = Array.from(prepared, (character) => character.codePointAt(0)!)
  const refused = points.find((point) => has(prohibited, point))
  if (refused !== undefined) return Result.fail(`it has the character ${named(refused)}, which is prohibited`)
  if (options.unassigned === "refuse") {
    // Before it is normalized, too: what came later may be made of what was there.
    const unknown = [...Array.from(mapped, (character) => character.codePointAt(0)!), ...points].find(
      (point) => has(unassigned, point)
    )
    if (unknown !== undefined) {
      return Result.fail(`it has the character ${named(unknown)}, which Unicode 3.2 does not have`)
    }
  }
  if (points.some((point) => has(rightToLeft, point))) {
    if (points.some((point) => has(leftToRight, point))) {
      return Result.fail("it is written in both directions")
    }
    if (!has(rightToLeft, points[0]!) || !has(rightToLeft, points.at(-1)!)) {
      return Result.fail("it is written from right to left, and does not begin and end so")
    }
  }
  return Result.succeed(prepared)
}

const named = (point: number): string => `U+${point.toString(16).toUpperCase().padStart(4, "0")}`

/** Prepared where that can be done, as it is where not: for secrets, which are better compared than refused. */
export const prepareOrKeep = (text: string): string => Result.getOrElse(prepare(text), () => text)
