/** What is wrong with a configuration: one thing each, with the sentence that tells it. */
import { visible } from "../result/VisibleText.ts"
import { describe, type Origin } from "./ConfigurationOrigin.ts"

/** A value that is not what the key takes. */
export interface Invalid {
  readonly _tag: "Invalid"
  readonly key: string
  /** What was expected: `a number`. */
  readonly expected: string
  /** The value, in quotes, cut, and visible; `undefined` for a secret. */
  readonly value: string | undefined
  readonly origin: Origin
}

/** A value that must be there is nowhere. */
export interface Missing {
  readonly _tag: "Missing"
  readonly key: string
  /** Empty if any text would do. */
  readonly expected: string
  /** All places where it could have been given: `--set port=...`. */
  readonly places: ReadonlyArray<string>
  /** What stands in its place: `app.toml: it is a table there`. */
  readonly obstacles: ReadonlyArray<string>
}

/** The application's own check said no, or threw. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly key: string
  /** May have several lines. */
  readonly detail: string
  /** As in `Invalid`; of the last key that the check had read. */
  readonly value: string | undefined
  readonly origin: Origin
}

/** `--set` of a key that nothing asks for. */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly key: string
  readonly suggestion: string | undefined
  readonly origin: Origin
}

/** `--set` of a text that is not `key=value`. */
export interface Malformed {
  readonly _tag: "Malformed"
  /** Which one, the first is 1. Its text is not told: it may be a secret. */
  readonly position: number
}

/** A file that cannot be read, or is not what its name says. */
export interface BadFile {
  readonly _tag: "BadFile"
  readonly path: string
  readonly line: number | undefined
  readonly column: number | undefined
  readonly detail: string
}

export type Issue = Invalid | Missing | Rejected | Unknown | Malformed | BadFile

const either = (items: ReadonlyArray<string>): string =>
  items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} or ${items.at(-1)!}`

const named = (key: string): string => (key === "" ? "the configuration" : visible(key))

const got = (value: string | undefined): string =>
  value === undefined ? "; what was given is a secret, and not shown" : `, not ${value}`

/** One line, without a full stop; more where the application's own words have more. */
export const message = (issue: Issue): string => {
  switch (issue._tag) {
    case "Invalid":
      return `${named(issue.key)}: must be ${issue.expected}${got(issue.value)} (${describe(issue.origin)})`
    case "Missing": {
      const expected = issue.expected === "" ? "" : ` (${issue.expected})`
      const places = issue.places.length === 0 ? "" : `; give ${either(issue.places)}`
      return `${named(issue.key)}: missing${expected}${[places, ...issue.obstacles].join("; ")}`
    }
    case "Rejected": {
      const [first = "", ...rest] = issue.detail.split("\n").map(visible)
      const value = issue.value === undefined || rest.length > 0 ? "" : `, with ${issue.value}`
      const told = `${named(issue.key)}: ${first}${value} (${describe(issue.origin)})`
      return [told, ...rest.map((line) => `    ${line}`)].join("\n")
    }
    case "Unknown": {
      const suggestion = issue.suggestion === undefined ? "" : `; did you mean ${visible(issue.suggestion)}?`
      return `${visible(issue.key)}: nothing of this name is asked for (${describe(issue.origin)})${suggestion}`
    }
    case "Malformed":
      return `--set takes KEY=VALUE, and number ${issue.position} has no "=" behind a key`
    case "BadFile": {
      const column = issue.column === undefined ? "" : `:${issue.column}`
      return `${visible(issue.path)}${issue.line === undefined ? "" : `:${issue.line}${column}`}: ${issue.detail}`
    }
  }
}
