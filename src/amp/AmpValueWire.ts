/**
 * The values that are one string each, byte for byte as Twisted's `Argument` classes write them. What they read is stricter:
 * Python's `int` and `float` take spaces, underscores and other scripts' digits; these do not.
 */
import * as Result from "effect/Result"

/** Between a value and its bytes. What fails says why, for a person. */
export interface ValueCodec<A> {
  readonly decode: (bytes: Uint8Array) => Result.Result<A, string>
  readonly encode: (value: A) => Result.Result<Uint8Array, string>
}

/** More digits than these no Python from 3.11 on reads (`sys.int_info.default_max_str_digits`). */
export const digitsMax = 4300

const ascii = (bytes: Uint8Array): string => {
  let text = ""
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** What was read, for an error: the beginning of it. */
const shown = (bytes: Uint8Array): string => JSON.stringify(ascii(bytes.subarray(0, 40)))

const bytesOf = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

// --- Integer --------------------------------------------------------------------------------------------

const isInteger = (bytes: Uint8Array): boolean => {
  const from = bytes[0] === 0x2d ? 1 : 0
  if (bytes.length === from || bytes.length - from > digitsMax) return false
  for (let i = from; i < bytes.length; i++) if (bytes[i]! < 0x30 || bytes[i]! > 0x39) return false
  return true
}

/** Twisted: `Integer`. Numbers from -(2^53 - 1) to 2^53 - 1. */
export const integer: ValueCodec<number> = {
  decode: (bytes) => {
    if (!isInteger(bytes)) return Result.fail(`${shown(bytes)} is no integer`)
    const value = bytes.length > 40 ? Number.NaN : Number(ascii(bytes))
    if (!Number.isSafeInteger(value))
      return Result.fail(`${shown(bytes)} is out of the range of safe integers`)
    // "-0" is one way to write 0.
    return Result.succeed(value === 0 ? 0 : value)
  },
  encode: (value) =>
    Number.isSafeInteger(value)
      ? Result.succeed(bytesOf(String(value === 0 ? 0 : value)))
      : Result.fail(`${value} is no safe integer`)
}

/** Twisted: `Integer`, of any size up to 4,300 digits. */
export const bigInteger: ValueCodec<bigint> = {
  decode: (bytes) =>
    isInteger(bytes) ? Result.succeed(BigInt(ascii(bytes))) : Result.fail(`${shown(bytes)} is no integer`),
  encode: (value) => {
    const text = value.toString()
    return text.length <= digitsMax + (value < 0n ? 1 : 0)
      ? Result.succeed(bytesOf(text))
      : Result.fail(`an integer of more than ${digitsMax} digits`)
  }
}

// --- Float ----------------------------------------------------------------------------------------------

const floatBytesMax = 1024
const floatGrammar = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i

/** As Python's `str(float)`: shortest digits that read back the same, and an exponent below 1e-4 and from 1e16 on. */
export const formatFloat = (value: number): string => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf"
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0"
  const [mantissa = "", exponentText = ""] = value.toExponential().split("e")
  const exponent = Number(exponentText)
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, "0")
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`
  }
  const sign = mantissa.startsWith("-") ? "-" : ""
  const digits = mantissa.replace("-", "").replace(".", "")
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0")
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`
}

/** Twisted: `Float`. */
export const float: ValueCodec<number> = {
  decode: (bytes) => {
    const text = bytes.length <= floatBytesMax ? ascii(bytes) : ""
    if (!floatGrammar.test(text)) return Result.fail(`${shown(bytes)} is no float`)
    const word = text.replace(/^[+-]/, "").toLowerCase()
    if (word === "nan") return Result.succeed(Number.NaN)
    if (word.startsWith("inf")) return Result.succeed(text.startsWith("-") ? -Infinity : Infinity)
    return Result.succeed(Number(text))
  },
  encode: (value) =>
    typeof value === "number"
      ? Result.succeed(bytesOf(formatFloat(value)))
      : Result.fail(`${String(value)} is no float`)
}

// --- Boolean --------------------------------------------------------------------------------------------

const trueBytes = bytesOf("True")
const falseBytes = bytesOf("False")

/** Twisted: `Boolean`. */
export const boolean: ValueCodec<boolean> = {
  decode: (bytes) => {
    const text = bytes.length <= 5 ? ascii(bytes) : ""
    if (text === "True") return Result.succeed(true)
    return text === "False" ? Result.succeed(false) : Result.fail(`${shown(bytes)} is neither True nor False`)
  },
  encode: (value) => Result.succeed(value ? trueBytes : falseBytes)
}

// --- String, Unicode, Path ------------------------------------------------------------------------------

/** Twisted: `String`, which is bytes. */
export const string: ValueCodec<Uint8Array> = {
  decode: (bytes) => Result.succeed(bytes),
  encode: (bytes) => (bytes instanceof Uint8Array ? Result.succeed(bytes) : Result.fail("no bytes"))
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Twisted: `Unicode`, UTF-8. Lone halves of surrogate pairs have none. */
export const unicode: ValueCodec<string> = {
  decode: (bytes) => {
    try {
      return Result.succeed(utf8.decode(bytes))
    } catch {
      return Result.fail(`${shown(bytes)} is not UTF-8`)
    }
  },
  encode: (text) =>
    text.isWellFormed() ? Result.succeed(encoder.encode(text)) : Result.fail("half of a surrogate pair")
}

/** As Python's `os.path.normpath` on POSIX: no `.`, `..` or doubled slash; exactly two in front stay. */
export const normalizePath = (path: string): string => {
  const lead = path.startsWith("//") && !path.startsWith("///") ? "//" : "/"
  const parts: Array<string> = []
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue
    if (part === "..") parts.pop()
    else parts.push(part)
  }
  return lead + parts.join("/")
}

const checkPath = (path: string): Result.Result<string, string> => {
  if (!path.startsWith("/")) return Result.fail("a path that is not absolute depends on who reads it")
  return path.includes("\0") ? Result.fail("a path has no NUL") : Result.succeed(normalizePath(path))
}

/** Twisted: `Path`, a `FilePath`: absolute, normalized, UTF-8. */
export const path: ValueCodec<string> = {
  decode: (bytes) => Result.flatMap(unicode.decode(bytes), checkPath),
  encode: (text) => Result.flatMap(checkPath(text), unicode.encode)
}
