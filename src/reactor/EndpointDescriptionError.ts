/**
 * What is wrong with an endpoint's description: one error with a tagged `reason`, the place in the text, and a
 * message that a person can act upon without knowing this library.
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import { excerpt, type Position, quoted, wrapUsage } from "./EndpointExcerpt.ts"
import type { Fault } from "./Reason.ts"

export interface ReasonFields {
  /** What is wrong, one sentence without a full stop, for a person. */
  readonly detail: string
  /** The valid word that was probably meant. */
  readonly suggestion?: string | undefined
  /** How to mend it, where no single word does. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

type ReasonClass<Tag extends string> = new (
  fields: ReasonFields
) => Cause.YieldableError & { readonly _tag: Tag; readonly fault: Fault } & Readonly<ReasonFields>

const reason = <const Tag extends string>(tag: Tag): ReasonClass<Tag> =>
  class extends Data.TaggedError(tag)<ReasonFields> {
    /** Whoever wrote the description can mend it. */
    readonly fault: Fault = "Local"
    override get message(): string {
      return this.detail
    }
  }

/** No such kind of endpoint, or none that can be used in this way (`udp` where streams are served). */
export class UnknownScheme extends reason("UnknownScheme") {}
/** The kind of endpoint has no argument of this name. */
export class UnknownArgument extends reason("UnknownArgument") {}
/** An argument that must be there is not. */
export class MissingArgument extends reason("MissingArgument") {}
/** One argument is given twice: under its name, another name for it, or by its place. */
export class DuplicateArgument extends reason("DuplicateArgument") {}
/** More unnamed arguments than the kind of endpoint has places for. */
export class TooManyArguments extends reason("TooManyArguments") {}
/** The argument's value cannot be what it should be: not a number, out of range, not one of the choices. */
export class InvalidValue extends reason("InvalidValue") {}
/** A backslash before anything but `:`, `=` and another backslash. */
export class BadEscape extends reason("BadEscape") {}
/** A file that an argument names cannot be read, or holds something else than it should. */
export class UnreadableFile extends Data.TaggedError("UnreadableFile")<
  ReasonFields & { readonly path: string }
> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}
/** Each argument is right by itself, but not together with another one. */
export class Conflict extends reason("Conflict") {}

export type Reason =
  | UnknownScheme
  | UnknownArgument
  | MissingArgument
  | DuplicateArgument
  | TooManyArguments
  | InvalidValue
  | BadEscape
  | UnreadableFile
  | Conflict

/**
 * A description is not valid. `message` has several lines: a sentence, the description with carets under the
 * part at fault, what was probably meant, and the valid form:
 *
 * ```
 * unknown argument "interfce" of tcp
 *   tcp:8080:interfce=127.0.0.1
 *            ^^^^^^^^
 * did you mean "interface"?
 * usage: tcp:PORT[:interface=ADDRESS][:backlog=COUNT]
 * ```
 */
export class EndpointDescriptionError extends Data.TaggedError("EndpointDescriptionError")<{
  /** The whole text. */
  readonly description: string
  /** The part at fault, always inside the text; where something is missing, the place for it, with length 0. */
  readonly position: Position
  /** The argument it is about, by its proper name where it has one. */
  readonly argument: string | undefined
  readonly reason: Reason
  /** The valid forms, where the kind of endpoint is known; otherwise none. */
  readonly usage: ReadonlyArray<string>
}> {
  override get message(): string {
    const { hint, suggestion } = this.reason
    const lines = [this.reason.message]
    if (this.description !== "") lines.push(excerpt(this.description, this.position))
    if (suggestion !== undefined) lines.push(`did you mean ${quoted(suggestion)}?`)
    if (hint !== undefined) lines.push(hint)
    lines.push(...this.usage.map((form, i) => wrapUsage(`${i === 0 ? "usage" : "   or"}: ${form}`)))
    return lines.join("\n")
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
