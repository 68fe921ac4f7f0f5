/** A failure as text. */
import type { Failure } from "./FailureValue.ts"
import { type LayoutOptions, type Line, type Style, layout, oneLine } from "./FailureLayout.ts"
import type { Limits } from "./FailureReading.ts"
import { tell } from "./FailureStory.ts"
import type * as Cause from "effect/Cause"

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
