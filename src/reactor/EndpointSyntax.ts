/**
 * The grammar of endpoint descriptions, which knows nothing of their meaning:
 *
 * ```
 * description = scheme *( ":" argument )        nothing after the scheme's colon is no argument at all
 * argument    = [ name "=" ] value              the first "=" ends the name; later ones belong to the value
 * escapes     = "\:"  "\="  "\\"                anywhere; a backslash before anything else is an error
 * value       = "[" IPv6 address "]" | ...      in brackets, a colon needs no escape: [::1], [fe80::1%eth0],
 *                                               also of several between commas, of networks: [::1],[fd00::]/8
 * ```
 *
 * As Twisted's, but for the brackets, and for other escapes, which Twisted takes for the character itself.
 */
import * as Result from "effect/Result"
import { BadEscape, EndpointDescriptionError } from "./EndpointDescriptionError.ts"
import { type Position, quoted } from "./EndpointExcerpt.ts"

/** A piece of the description: what it says once escapes are resolved, and where it stands. */
export interface Part extends Position {
  readonly text: string
}

export interface Argument extends Position {
  /** `undefined` for one that its place tells. */
  readonly name: Part | undefined
  readonly value: Part
}

/** A description taken apart, arguments in the order of the text. */
export interface Syntax {
  /** The whole description. */
  readonly text: string
  readonly scheme: Part
  readonly arguments: ReadonlyArray<Argument>
}

const address = String.raw`\[[0-9A-Fa-f:.]{2,45}(?:%[^\][:=\\,\s]{1,64})?\]`
const item = String.raw`(?:${address}(?:/[0-9]{1,3})?|[^\][:=\\,]{1,128})`

/**
 * Matches a whole value: items between commas, some of them IPv6 addresses or networks in brackets. Bounded, so that many
 * opening brackets cost no more than their own length.
 */
const bracketed = new RegExp(`${item}(?:,${item})*(?=:|$)`, "y")
const bracketable = new RegExp(`^${address}$`)

/** Whether the text, put in brackets, is read back as one value. */
export const isBracketable = (address: string): boolean => bracketable.test(`[${address}]`)

/**
 * Writes any text so that it can stand in a description as a value or a part of one: `C\:\\x\=1` for `C:\x=1`.
 * Twisted's `quoteStringArgument`, which leaves `=` as it is.
 */
export const quoteArgument = (text: string): string => text.replace(/[\\:=]/g, "\\$&")

/** Takes a description apart. The only thing that can be wrong is an escape. */
export const parse = (text: string): Result.Result<Syntax, EndpointDescriptionError> => {
  const scheme = read(text, 0, ":")
  if (Result.isFailure(scheme)) return Result.fail(scheme.failure)
  const args: Array<Argument> = []
  let at = scheme.success.length
  // "stdio:" is the scheme alone, as without the colon.
  if (at === text.length - 1) at++
  while (at < text.length) {
    const start = at + 1
    const first = readBracketed(text, start) ?? read(text, start, ":=")
    if (Result.isFailure(first)) return Result.fail(first.failure)
    const afterFirst = start + first.success.length
    if (text[afterFirst] === "=") {
      const name = first.success
      const value = readBracketed(text, afterFirst + 1) ?? read(text, afterFirst + 1, ":", name.text)
      if (Result.isFailure(value)) return Result.fail(value.failure)
      at = afterFirst + 1 + value.success.length
      args.push({ name, value: value.success, offset: start, length: at - start })
    } else {
      at = afterFirst
      args.push({ name: undefined, value: first.success, offset: start, length: at - start })
    }
  }
  return Result.succeed({ text, scheme: scheme.success, arguments: args })
}

type Read = Result.Result<Part, EndpointDescriptionError>

const readBracketed = (text: string, start: number): Read | undefined => {
  bracketed.lastIndex = start
  const found = bracketed.exec(text)?.[0]
  return found === undefined
    ? undefined
    : Result.succeed({ text: found, offset: start, length: found.length })
}

/** Reads up to the first of `stops` that is not escaped, or to the end. */
const read = (text: string, start: number, stops: string, argument?: string): Read => {
  let said = ""
  let from = start
  let at = start
  for (; at < text.length && !stops.includes(text[at]!); at++) {
    if (text[at] !== "\\") continue
    const escaped = text[at + 1]
    if (escaped !== ":" && escaped !== "=" && escaped !== "\\") {
      return Result.fail(badEscape(text, at, argument))
    }
    said += text.slice(from, at) + escaped
    at++
    from = at + 1
  }
  return Result.succeed({ text: said + text.slice(from, at), offset: start, length: at - start })
}

const badEscape = (text: string, offset: number, argument: string | undefined): EndpointDescriptionError => {
  const escaped = text.codePointAt(offset + 1)
  const following = escaped === undefined ? "" : String.fromCodePoint(escaped)
  return new EndpointDescriptionError({
    description: text,
    position: { offset, length: 1 + following.length },
    argument,
    reason: new BadEscape({
      detail:
        following === ""
          ? "a backslash at the end of the description escapes nothing"
          : `a backslash cannot escape ${quoted(following)}`,
      hint: String.raw`write \\ for a backslash, \: for a colon, \= for an equals sign`
    }),
    usage: []
  })
}
