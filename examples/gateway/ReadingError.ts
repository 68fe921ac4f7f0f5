import * as Data from "effect/Data"

export type ReadingField = "station" | "metric" | "value" | "timestamp" | "line"

/** Why a line is no reading. `excerpt` is what was found, quoted, shortened and escaped by `excerpt`. */
export type ReadingReason =
  | { readonly _tag: "Missing" }
  | { readonly _tag: "TooLong"; readonly charactersMax: number; readonly excerpt: string }
  | { readonly _tag: "BadCharacter"; readonly excerpt: string }
  | { readonly _tag: "NotANumber"; readonly excerpt: string }
  | { readonly _tag: "OutOfRange"; readonly excerpt: string }
  | { readonly _tag: "NotATimestamp"; readonly excerpt: string }
  | { readonly _tag: "NoSuchTime"; readonly excerpt: string }
  | { readonly _tag: "TooManyFields"; readonly excerpt: string }

/** What follows the field in the message. */
export const explain = (reason: ReadingReason): string => {
  switch (reason._tag) {
    case "Missing":
      return "is missing"
    case "TooLong":
      return `is longer than ${reason.charactersMax} characters: ${reason.excerpt}`
    case "BadCharacter":
      return `may have only letters, digits and _.:- but is ${reason.excerpt}`
    case "NotANumber":
      return `is not a number: ${reason.excerpt}`
    case "OutOfRange":
      return `is out of range: ${reason.excerpt}`
    case "NotATimestamp":
      return `is not an ISO 8601 date and time: ${reason.excerpt}`
    case "NoSuchTime":
      return `is a time that does not exist: ${reason.excerpt}`
    case "TooManyFields":
      return `has more than 4 fields, the fifth is ${reason.excerpt}`
  }
}

/** A line that is no reading: the peer's fault. The message is one short line of printable ASCII. */
export class ReadingError extends Data.TaggedError("ReadingError")<{
  readonly field: ReadingField
  readonly reason: ReadingReason
}> {
  override get message(): string {
    return `${this.field} ${explain(this.reason)}`
  }
}
