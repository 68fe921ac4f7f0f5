/** A failure as text. */
import * as Cause from "effect/Cause"
import type { Failure } from "./FailureValue.ts"
import { type LayoutOptions, type Line, type Style, layout, oneLine } from "./FailureLayout.ts"
import { type Limits, attempt, isShort } from "./FailureReading.ts"
import { tell } from "./FailureStory.ts"

export interface RenderOptions extends LayoutOptions {
  /** Whether it is coloured, for a terminal (ANSI). False. */
  readonly colour?: boolean | undefined
}

const codes: Readonly<Record<Style, string>> = { name: "\x1b[1;31m", dim: "\x1b[2m", plain: "" }

const painted = (line: Line): string =>
  line.map(({ style, text }) => (codes[style] === "" ? text : `${codes[style]}${text}\x1b[0m`)).join("")

const bare = (line: Line): string => line.map(({ text }) => text).join("")

export const renderCause = (cause: Cause.Cause<unknown>, options: RenderOptions = {}): string =>
  layout(tell(cause, options), options)
    .map(options.colour === true ? painted : bare)
    .join("\n")

export const messageOfCause = (cause: Cause.Cause<unknown>, limits?: Limits): string =>
  oneLine(tell(cause, limits))

/**
 * One line: `NotFound: no such user (and 2 more)`. Control characters, line breaks among them, are shown as `\n`, `\x1b`.
 * Never throws. Twisted: `getErrorMessage`.
 */
export const message = (self: Failure<unknown>, limits?: Limits): string => messageOfCause(self.cause, limits)

/**
 * The traceback: errors with their causes, frames, spans, and where they were captured. Frames of libraries are counted,
 * not shown, unless `libraries`. Never throws, and is never longer than `lengthMax` and a line. Twisted: `getTraceback`.
 */
export const render = (self: Failure<unknown>, options?: RenderOptions): string =>
  renderCause(self.cause, options)

/** What loggers are given of a failure at most, in UTF-16 units. */
const textLengthMax = 65_536

/**
 * Loggers read causes without care: an error whose getters throw would take the log entry with it, a huge one fill the
 * disk, or take a second to be made text of. A cause with such an error is logged as its text.
 */
export const loggable = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> => {
  const values = cause.reasons.map((reason) =>
    reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
  )
  return isShort(values, textLengthMax) && attempt(() => Cause.pretty(cause).length <= textLengthMax, false)
    ? cause
    : Cause.die(textError(cause))
}

const textError = (cause: Cause.Cause<unknown>): Error => {
  const error = new Error(messageOfCause(cause))
  error.stack = renderCause(cause)
  return error
}
