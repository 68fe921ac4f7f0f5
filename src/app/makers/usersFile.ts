/** Who may log in, from a file: lines of `NAME:PASSWORD`; `#` begins a comment. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import { UsageError } from "../cli/UsageError.ts"

type User = readonly [user: string, password: Redacted.Redacted]

/** The users; fails in words for whoever wrote `--users FILE`. */
export const usersFile = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<ReadonlyArray<User>, UsageError> {
  const text = yield* Effect.mapError(
    NodeReadFiles.make.readFileString(file),
    (error) => new UsageError({ detail: `--users: ${error.message}` })
  )
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"))
  const wrong = lines.findIndex((line) => !/^[^:]+:./.test(line))
  if (lines.length === 0 || wrong >= 0) {
    return yield* new UsageError({ detail: `--users: ${file} must have lines of NAME:PASSWORD` })
  }
  return lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon), Redacted.make(line.slice(colon + 1))] as const
  })
})
