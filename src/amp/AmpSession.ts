/**
 * The rules of a conversation in boxes: what a box is, how calls are numbered, what errors look like. Twisted: `BoxDispatcher`.
 *
 * A call has `_command`, and `_ask` where an answer is wanted; the answer has `_answer`, an error `_error`, each with the tag of
 * the call.
 */
import { type Box, encodeKey, latin1, type Pair } from "./AmpWire.ts"
import * as Result from "effect/Result"

export const ask = "_ask"
export const answer = "_answer"
export const command = "_command"
export const error = "_error"
export const errorCode = "_error_code"
export const errorDescription = "_error_description"

/** The code of an error that the command does not declare. */
export const unknownCode = "UNKNOWN"
/** The code of a command that nobody responds to. */
export const unhandledCode = "UNHANDLED"
/** The code of a `StartTLS` that cannot be. */
export const tlsCode = "TLS_ERROR"

export type Received =
  | { readonly _tag: "Command"; readonly name: string; readonly tag: Uint8Array | undefined }
  | { readonly _tag: "Answer"; readonly tag: string }
  | { readonly _tag: "Error"; readonly tag: string; readonly code: string; readonly description: string }
  | { readonly _tag: "Malformed"; readonly detail: string }

const utf8 = new TextDecoder()

/** What a box is. In Twisted's order: an answer before an error before a command. */
export const classify = (box: Box): Received => {
  const answered = box.get(answer)
  if (answered !== undefined) return { _tag: "Answer", tag: latin1(answered) }
  const failed = box.get(error)
  if (failed !== undefined) {
    const code = box.get(errorCode)
    const description = box.get(errorDescription)
    if (code === undefined || description === undefined) {
      return { _tag: "Malformed", detail: "an error without a code or a description" }
    }
    return { _tag: "Error", tag: latin1(failed), code: latin1(code), description: utf8.decode(description) }
  }
  const name = box.get(command)
  if (name !== undefined) return { _tag: "Command", name: latin1(name), tag: box.get(ask) }
  return { _tag: "Malformed", detail: "a box that is no call, no answer and no error" }
}

/**
 * The tag of the first call: a number, as all are, that Twisted would come to after 10^14 calls. Who knows it, knows that calls can be
 * given up (`AmpCancellation`); to everybody else it is a tag.
 */
const firstTag = "5b1d1e000001"
const firstTagBytes = Buffer.from(firstTag, "latin1")

/** The tag of the nth call. */
export const tagOf = (count: number): string => (count === 1 ? firstTag : count.toString(16))

export const isFirstTag = (tag: Uint8Array): boolean =>
  tag.length === firstTagBytes.length && firstTagBytes.equals(tag)

/** Whether it is the tag of one of the first `count` calls: then the answer comes too late, and means no harm. */
export const wasTag = (tag: string, count: number): boolean => {
  if (tag === firstTag) return count > 0
  if (tag.length > 14 || !/^[1-9a-f][0-9a-f]*$/.test(tag)) return false
  const number = Number.parseInt(tag, 16)
  return number > 1 && number <= count
}

const known = (key: string): Uint8Array => Result.getOrThrow(encodeKey(key))
const keys = {
  [ask]: known(ask),
  [answer]: known(answer),
  [command]: known(command),
  [error]: known(error),
  [errorCode]: known(errorCode),
  [errorDescription]: known(errorDescription)
}

const pair = (key: keyof typeof keys, value: Uint8Array): Pair => ({ key, encodedKey: keys[key], value })

/** `own` are in order; what is added is put where it belongs. */
const inserted = (own: ReadonlyArray<Pair>, added: ReadonlyArray<Pair>): ReadonlyArray<Pair> => {
  // Names in lower case come behind "_", others before it.
  const pairs: Array<Pair> = []
  let next = 0
  for (const one of own) {
    while (next < added.length && added[next]!.key < one.key) pairs.push(added[next++]!)
    pairs.push(one)
  }
  while (next < added.length) pairs.push(added[next++]!)
  return pairs
}

/** A call: `tag` where an answer is wanted. */
export const callPairs = (
  name: Uint8Array,
  tag: string | undefined,
  args: ReadonlyArray<Pair>
): ReadonlyArray<Pair> =>
  inserted(
    args,
    tag === undefined ? [pair(command, name)] : [pair(ask, Buffer.from(tag, "latin1")), pair(command, name)]
  )

/** The answer to the call with that tag. */
export const answerPairs = (tag: Uint8Array, response: ReadonlyArray<Pair>): ReadonlyArray<Pair> =>
  inserted(response, [pair(answer, tag)])

/** The error of the call with that tag. */
export const errorPairs = (tag: Uint8Array, code: string, description: string): ReadonlyArray<Pair> => [
  pair(error, tag),
  pair(errorCode, Buffer.from(code, "latin1")),
  pair(errorDescription, shortened(Buffer.from(description)))
]

/** A description is for people: what does not fit into a value is cut off. */
const shortened = (text: Uint8Array): Uint8Array => (text.length <= 65_535 ? text : text.subarray(0, 65_535))

/** What Twisted says of a command that nobody responds to: with the name as Python shows bytes. */
export const unhandledDescription = (name: string): string => `Unhandled Command: ${pythonBytes(name)}`

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

/** `repr(bytes)`. */
export const pythonBytes = (text: string): string => {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  let shown = ""
  for (const character of text) {
    const code = character.charCodeAt(0)
    if (character === quote) shown += `\\${character}`
    else if (character in escapes) shown += escapes[character]!
    else if (code < 0x20 || code > 0x7e) shown += `\\x${code.toString(16).padStart(2, "0")}`
    else shown += character
  }
  return `b${quote}${shown}${quote}`
}
