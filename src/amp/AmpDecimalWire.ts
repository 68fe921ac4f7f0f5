/** Decimal numbers as Python's `decimal` writes them (speleotrove.com/decimal, to-scientific-string): precision is kept. */
import * as BigDecimal from "effect/BigDecimal"
import * as Result from "effect/Result"
import { digitsMax, type ValueCodec } from "./AmpValueWire.ts"

/** What a Python `Decimal` can be. */
export type Decimal =
  | {
      readonly _tag: "Finite"
      readonly negative: boolean
      /** The digits as one number, not negative. */
      readonly coefficient: bigint
      /** The power of ten they are multiplied with. */
      readonly exponent: number
    }
  | { readonly _tag: "Infinity"; readonly negative: boolean }
  | {
      readonly _tag: "NaN"
      readonly negative: boolean
      readonly signaling: boolean
      /** Digits that tell one from another; usually none. */
      readonly payload: string
    }

export const finite = (coefficient: bigint, exponent = 0, negative = false): Decimal => ({
  _tag: "Finite",
  negative,
  coefficient,
  exponent
})
export const infinity = (negative = false): Decimal => ({ _tag: "Infinity", negative })
export const nan: Decimal = { _tag: "NaN", negative: false, signaling: false, payload: "" }

/** Python's own bounds are 18 nines; these are exact as a number. */
const exponentMax = 999_999_999_999_999

/** As `str(Decimal)`. */
export const format = (value: Decimal): string => {
  const sign = value.negative ? "-" : ""
  if (value._tag === "Infinity") return `${sign}Infinity`
  if (value._tag === "NaN") return `${sign}${value.signaling ? "sNaN" : "NaN"}${value.payload}`
  const digits = value.coefficient.toString()
  const { exponent } = value
  // The exponent, were there one digit before the point.
  const adjusted = exponent + digits.length - 1
  if (exponent <= 0 && adjusted >= -6) {
    if (exponent === 0) return sign + digits
    const padded = digits.padStart(1 - exponent, "0")
    return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`
  }
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ""
  return `${sign}${digits[0]}${fraction}E${adjusted < 0 ? "-" : "+"}${Math.abs(adjusted)}`
}

const number = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i
const special = /^([+-]?)(?:(inf(?:inity)?)|(s?)nan(\d*))$/i

/** As `Decimal(str)`, but without spaces and underscores; `undefined` for what is none. */
export const parse = (text: string): Decimal | undefined => {
  if (text.length > digitsMax + 32) return undefined
  const word = special.exec(text)
  if (word !== null) {
    const negative = word[1] === "-"
    if (word[2] !== undefined) return infinity(negative)
    return { _tag: "NaN", negative, signaling: word[3] !== "", payload: (word[4] ?? "").replace(/^0+/, "") }
  }
  const found = number.exec(text)
  if (found === null) return undefined
  const fraction = found[3] ?? found[4] ?? ""
  const digits = (found[2] ?? "") + fraction
  // Never -0, of which `0e-0` would be made.
  const exponent = 0 + Number(found[5] ?? 0) - fraction.length
  if (digits.length > digitsMax || Math.abs(exponent) > exponentMax) return undefined
  return finite(BigInt(digits), exponent, found[1] === "-")
}

const utf8 = new TextDecoder()

/** Twisted: `Decimal`. */
export const decimal: ValueCodec<Decimal> = {
  decode: (bytes) => {
    const text = bytes.length <= digitsMax + 32 ? utf8.decode(bytes) : ""
    const value = parse(text)
    return value === undefined
      ? Result.fail(`${JSON.stringify(text.slice(0, 40))} is no decimal`)
      : Result.succeed(value)
  },
  encode: (value) => {
    const text = format(value)
    return parse(text) === undefined
      ? Result.fail(`a decimal of more than ${digitsMax} digits, or of too large an exponent`)
      : Result.succeed(Buffer.from(text))
  }
}

/** `undefined` for what it cannot be: infinite, no number, minus zero, or so large that computing with it would take the machine. */
export const toBigDecimal = (
  value: Decimal,
  exponentAbsoluteMax = 10_000
): BigDecimal.BigDecimal | undefined => {
  if (value._tag !== "Finite" || Math.abs(value.exponent) > exponentAbsoluteMax) return undefined
  if (value.negative && value.coefficient === 0n) return undefined
  // 0 - n, as minus zero is no bigint
  return BigDecimal.make(value.negative ? -value.coefficient : value.coefficient, 0 - value.exponent)
}

export const fromBigDecimal = ({ scale, value }: BigDecimal.BigDecimal): Decimal =>
  finite(value < 0n ? -value : value, 0 - scale, value < 0n)
