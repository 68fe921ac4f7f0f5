/**
 * What is said: between nodes a JSON object a datagram, between a client and a node a line each way.
 *
 * | request          | answers                                                    |
 * | ---------------- | ---------------------------------------------------------- |
 * | `append ID TEXT` | `ok POSITION`, however often it is asked with that ID      |
 * | `read`           | `texts ["...", ...]`, in their order                       |
 * | any              | `ask NAME` (it leads), `later` (ask again), `error REASON` |
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export const textLengthMax = 500
const idLengthMax = 100

/** The entries of a datagram; the others come with the next. */
export const entriesMax = 16

/** What a place of the log holds: a client's text, or with an empty id nothing but the beginning of a term. */
export const Entry = Schema.Struct({
  term: Schema.Int,
  id: Schema.String.check(Schema.isMaxLength(idLengthMax)),
  text: Schema.String.check(Schema.isMaxLength(textLengthMax))
})
export type Entry = typeof Entry.Type

/** "Let me lead in this term: my log is so long, and its last entry of that term." */
export const Ask = Schema.TaggedStruct("Ask", {
  from: Schema.String,
  term: Schema.Int,
  length: Schema.Int,
  lastTerm: Schema.Int
})

export const Grant = Schema.TaggedStruct("Grant", {
  from: Schema.String,
  term: Schema.Int,
  isGranted: Schema.Boolean
})

/** "I lead. After `before` entries, the last of them of `beforeTerm`, come these; so many are committed." */
export const Copy = Schema.TaggedStruct("Copy", {
  from: Schema.String,
  term: Schema.Int,
  /** Comes back in the answer, which says by this what it is an answer to. */
  round: Schema.Int,
  before: Schema.Int,
  beforeTerm: Schema.Int,
  entries: Schema.Array(Entry).check(Schema.isMaxLength(entriesMax)),
  committed: Schema.Int
})

/** "My log is yours as far as `length`"; if not accepted, "try it from there." */
export const Copied = Schema.TaggedStruct("Copied", {
  from: Schema.String,
  term: Schema.Int,
  round: Schema.Int,
  isAccepted: Schema.Boolean,
  length: Schema.Int
})

export const Message = Schema.Union([Ask, Grant, Copy, Copied])
export type Message = typeof Message.Type

const fromJson = Schema.decodeUnknownResult(Schema.fromJsonString(Message))

/** A datagram's message; undefined for what is none. */
export const decode = (bytes: Uint8Array): Message | undefined =>
  Result.getOrUndefined(fromJson(new TextDecoder().decode(bytes)))

export const encode = (message: Message): string => JSON.stringify(message)

// --- clients --------------------------------------------------------------------------------------------

export type Request =
  | { readonly _tag: "Append"; readonly id: string; readonly text: string }
  | { readonly _tag: "Read" }

export type Answer =
  | { readonly _tag: "Appended"; readonly position: number }
  | { readonly _tag: "Texts"; readonly texts: ReadonlyArray<string> }
  /** Somebody else leads, as far as it knows. */
  | { readonly _tag: "Elsewhere"; readonly leader: string }
  /** Nobody knows whether it happened, or will: ask again, somebody. */
  | { readonly _tag: "Later" }
  | { readonly _tag: "Refused"; readonly reason: string }

export const later: Answer = { _tag: "Later" }

export const formatRequest = (request: Request): string =>
  request._tag === "Read" ? "read" : `append ${request.id} ${request.text}`

/** A client's line, or why it is none. */
export const parseRequest = (line: string): Result.Result<Request, string> => {
  if (line.trim() === "read") return Result.succeed({ _tag: "Read" })
  const [, id, text] = /^append (\S+) (.+)$/.exec(line) ?? []
  if (id === undefined || text === undefined) return Result.fail("append ID TEXT, or read")
  if (id.length > idLengthMax) return Result.fail(`an ID has at most ${idLengthMax} characters`)
  if (text.length > textLengthMax) return Result.fail(`a text has at most ${textLengthMax} characters`)
  return Result.succeed({ _tag: "Append", id, text })
}

export const formatAnswer = (answer: Answer): string => {
  switch (answer._tag) {
    case "Appended":
      return `ok ${answer.position}`
    case "Texts":
      return `texts ${JSON.stringify(answer.texts)}`
    case "Elsewhere":
      return `ask ${answer.leader}`
    case "Later":
      return "later"
    case "Refused":
      return `error ${answer.reason}`
  }
}

const textsFromJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Array(Schema.String)))

/** A node's line; undefined for what is no answer. */
export const parseAnswer = (line: string): Answer | undefined => {
  const space = line.indexOf(" ")
  const [word, rest] = space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)]
  switch (word) {
    case "ok":
      return /^\d+$/.test(rest) ? { _tag: "Appended", position: Number(rest) } : undefined
    case "texts":
      return Result.match(textsFromJson(rest), {
        onFailure: () => undefined,
        onSuccess: (texts): Answer => ({ _tag: "Texts", texts })
      })
    case "ask":
      return { _tag: "Elsewhere", leader: rest }
    case "later":
      return later
    case "error":
      return { _tag: "Refused", reason: rest }
    default:
      return undefined
  }
}
