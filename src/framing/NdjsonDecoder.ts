/**
 * Newline-delimited JSON: one JSON text (RFC 8259) a line, lines end with `"\n"` or `"\r\n"`, blank lines are passed
 * over. Input that is not UTF-8 is refused, not repaired.
 *
 * The values are the peer's: `JSON.parse` never touches a prototype, but an object may have an *own* property named
 * `__proto__`. Copying such properties by assignment (`target[key] = value`) changes the prototype of the target.
 */
import * as Result from "effect/Result"
import { visible } from "../result/VisibleText.ts"
import type { Decoder } from "./Decoder.ts"
import { filterMap } from "./Decoder.ts"
import type { FramingError } from "./FramingError.ts"
import { decoding, encoding, excerpt, Undecodable, Unencodable } from "./FramingError.ts"
import * as LinesDecoder from "./LinesDecoder.ts"

export interface Options {
  /** The most bytes of a line. Default 16,384. */
  readonly lineBytesMax?: number | undefined
  /**
   * How deep arrays and objects may be nested. Default 128: `JSON.parse` bears any depth, but code that walks the value
   * by recursion does not.
   */
  readonly depthMax?: number | undefined
  /** What a last line without a newline is at the end of input. Default `fail`: `12` may be the beginning of `123`. */
  readonly unterminated?: "fail" | "accept" | undefined
}

/** The values of the lines. Fails as `Undecodable` at the first line that is not JSON, or nested too deep. */
export const make = (options: Options = {}): Decoder<unknown> => {
  const lines = LinesDecoder.make({
    anyNewline: true,
    invalidText: "fail",
    lineBytesMax: options.lineBytesMax,
    unterminated: options.unterminated
  })
  const depthMax = options.depthMax ?? 128
  return filterMap(lines, (line) => parse(line, depthMax))
}

/** The value's JSON and a newline. Fails as `Unencodable` where JSON has no words for it: cycles, bigints, functions, `undefined`. */
export const encode = (value: unknown): Result.Result<Uint8Array, FramingError> => {
  try {
    const json: string | undefined = JSON.stringify(value)
    if (json !== undefined) return Result.succeed(new TextEncoder().encode(`${json}\n`))
    return Result.fail(encoding(framing, new Unencodable({ detail: `JSON has no form for ${typeof value}` })))
  } catch (cause) {
    return Result.fail(encoding(framing, new Unencodable({ detail: `no JSON: ${messageOf(cause)}`, cause })))
  }
}

const parse = (line: string, depthMax: number): Result.Result<unknown, FramingError> => {
  if (nestsDeeper(line, depthMax)) return undecodable(`JSON nested deeper than ${depthMax}`, line)
  try {
    return Result.succeed(JSON.parse(line))
  } catch (cause) {
    // also a RangeError: whatever keeps a line from being parsed is the line's fault
    if (isBlank(line)) return blank
    // It quotes the line, which is not for terminals as it is.
    const why = visible(messageOf(cause))
    return undecodable(`not JSON: ${why}`, line, new SyntaxError(why))
  }
}

const undecodable = (detail: string, line: string, cause?: unknown): Result.Result<never, FramingError> =>
  Result.fail(decoding(framing, new Undecodable({ detail, frame: excerpt(line), cause })))

/** Counts brackets outside of strings. A text of `depth` levels has at least two characters for each. */
const nestsDeeper = (line: string, depthMax: number): boolean => {
  if (line.length <= depthMax * 2) return false
  let depth = 0
  for (let i = 0; i < line.length; i++) {
    const char = line.charCodeAt(i)
    if (char === quote) {
      i = endOfString(line, i)
    } else if (char === openBracket || char === openBrace) {
      if (++depth > depthMax) return true
    } else if (char === closeBracket || char === closeBrace) {
      depth--
    }
  }
  return false
}

/** The closing quote of the string that opens at `at`, or the end of the line. */
const endOfString = (line: string, at: number): number => {
  for (let i = at + 1; i < line.length; i++) {
    const char = line.charCodeAt(i)
    if (char === quote) return i
    if (char === backslash) i++
  }
  return line.length
}

/** Nothing but what JSON calls white space. */
const isBlank = (line: string): boolean => /^[ \t\r\n]*$/.test(line)

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const framing = "ndjson"
const blank = Result.succeed(undefined)
const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
