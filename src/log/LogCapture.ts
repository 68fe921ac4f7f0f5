/**
 * What a program writes to its standard output and error, as lines of the log: a daemon has no terminal that would show it.
 * Who redirects the writes is the platform (`NodeStdioCapture`). Twisted: `LoggingFile`, `redirectStandardIO`.
 */
import * as Effect from "effect/Effect"
import * as Namespace from "./Namespace.ts"

export type Origin = "stdout" | "stderr"

const levels = { stdout: "Info", stderr: "Error" } as const

/** A line that was written there: namespace `stdout` at Info, or `stderr` at Error. */
export const line = (origin: Origin, text: string): Effect.Effect<void> =>
  Namespace.in(Effect.logWithLevel(levels[origin])(text), origin)
