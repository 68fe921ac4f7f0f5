/** The text of a transcript: its lines, and how a difference is shown. */
import * as Duration from "effect/Duration"
import { visible } from "../result/VisibleText.ts"

export type Side = "C" | "S"

/** What one side says. */
export interface Line {
  readonly _tag: "Line"
  readonly side: Side
  readonly text: string
  /** Where it was written between slashes: all of the line must match. */
  readonly pattern: RegExp | undefined
  /** As written. */
  readonly source: string
  readonly line: number
}

export type Event =
  | Line
  /** `S: ...`: any lines, or none. */
  | { readonly _tag: "Anything"; readonly side: Side; readonly source: string; readonly line: number }
  /** `(5 minutes)` */
  | {
      readonly _tag: "Time"
      readonly duration: Duration.Duration
      readonly source: string
      readonly line: number
    }
  /** `(TLS)` */
  | { readonly _tag: "Secure"; readonly source: string; readonly line: number }
  /** `(C ends)`, `(S closes)`, `(C resets)` */
  | {
      readonly _tag: "Ending"
      readonly side: Side
      readonly how: "ends" | "closes" | "resets"
      readonly source: string
      readonly line: number
    }

const wrong = (line: number, source: string): never => {
  throw new TypeError(
    `line ${line} of the dialogue, "${visible(source)}": write "C: text", "S: text", "S: /pattern/", "S: ...", ` +
      `"(5 minutes)", "(TLS)", "(C ends)", "(S closes)", "(C resets)", or "# a comment"`
  )
}

const parseLine = (written: string, line: number): Event | undefined => {
  const source = written.trim()
  if (source === "" || source.startsWith("#")) return undefined
  const said = /^([CS]):(?: (.*))?$/.exec(written.trimStart())
  if (said !== null) {
    const side = said[1] as Side
    const text = said[2] ?? ""
    if (text === "...") return { _tag: "Anything", side, source, line }
    const pattern = /^\/(.*)\/$/.exec(text)?.[1]
    const expression = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`, "u")
    return { _tag: "Line", side, text, pattern: expression, source, line }
  }
  const happens = /^\((.*)\)$/.exec(source)?.[1] ?? wrong(line, source)
  if (happens === "TLS") return { _tag: "Secure", source, line }
  const ending = /^([CS]) (ends|closes|resets)$/.exec(happens)
  if (ending !== null) {
    return {
      _tag: "Ending",
      side: ending[1] as Side,
      how: ending[2] as "ends" | "closes" | "resets",
      source,
      line
    }
  }
  const duration = Duration.fromInput(happens as Duration.Input)
  return duration._tag === "Some"
    ? { _tag: "Time", duration: duration.value, source, line }
    : wrong(line, source)
}

/** Throws a `TypeError` that says what may be written. */
export const parse = (dialogue: string): ReadonlyArray<Event> =>
  dialogue.split(/\r?\n/).flatMap((line, index) => parseLine(line, index + 1) ?? [])

/** The texts one side says from `at` on, until something else happens, and the index of the last of them. */
export const run = (
  events: ReadonlyArray<Event>,
  at: number
): { readonly lines: ReadonlyArray<string>; readonly last: number } => {
  const lines: Array<string> = []
  const first = events[at]
  let last = at
  for (let i = at; i < events.length; i++) {
    const event = events[i]!
    if (event._tag !== "Line" || first?._tag !== "Line" || event.side !== first.side) break
    lines.push(event.text)
    last = i
  }
  return { lines, last }
}

export const matches = ({ pattern, text }: Line, line: string): boolean =>
  pattern === undefined ? line === text : pattern.test(line)

/** What went before, what was expected (`-`), what came (`+`). */
export const difference = (
  subject: Side,
  events: ReadonlyArray<Event>,
  at: number,
  expected: string,
  actual: ReadonlyArray<string>,
  way: "whole" | "bytewise"
): string => {
  const where = events[at]?.line
  const how = way === "whole" ? "" : ", said byte by byte,"
  const before = events.slice(Math.max(0, at - 4), at).map((event) => `  ${visible(event.source)}`)
  const came = actual.slice(0, 8).map((line) => `+ ${subject}: ${visible(line)}`)
  return [
    `the dialogue${how} goes another way ${where === undefined ? "at its end" : `at line ${where}`}:`,
    ...(at > 4 ? ["  ..."] : []),
    ...before,
    `- ${visible(expected)}`,
    ...came,
    ...(actual.length > 8 ? [`+ and ${actual.length - 8} lines more`] : [])
  ].join("\n")
}
