/** What `effect/cli` has to say, as this command says it: a mistake is one line on standard error, and not a page of help. */
import * as CliOutput from "effect/cli/CliOutput"
import type * as CliError from "effect/cli/CliError"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { visible } from "../../result/VisibleText.ts"
import { UsageError } from "./UsageError.ts"

const oneLine = (text: string): string => visible(text.replaceAll(/\s*\n\s*/g, " ").trim())

const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

const suggestionOf = (error: CliError.NonShowHelpErrors): string | undefined => {
  const suggestions = "suggestions" in error ? error.suggestions : []
  return suggestions.length === 0 ? undefined : `did you mean ${suggestions.join(", ")}?`
}

const detailOf = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no flag ${error.option}`
    case "UnknownSubcommand":
      return `there is no command "${error.subcommand}"`
    default:
      return lowered(error.message)
  }
}

/** The first of the mistakes: the others are mostly its consequences. */
export const usageError = (
  path: ReadonlyArray<string>,
  errors: ReadonlyArray<CliError.NonShowHelpErrors>
): UsageError => {
  const [error] = errors
  const where = `see ${path.join(" ")} --help`
  if (error === undefined) return new UsageError({ detail: "the command line is wrong", hint: where })
  const suggestion = suggestionOf(error)
  return new UsageError({
    detail: oneLine(detailOf(error)),
    hint: oneLine(suggestion === undefined ? where : `${suggestion} ${where}`)
  })
}

/** How every mistake is told. */
export const complain = (message: string): Effect.Effect<void> => Console.error(`spindle: ${message}`)

export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    const { canColor: colors } = yield* TerminalCapabilities.TerminalCapabilities
    const formatter = CliOutput.defaultFormatter({ colors })
    switch (event._tag) {
      case "Help":
        return yield* Console.log(formatter.formatHelpDoc(event.helpDoc))
      case "InvalidInvocation":
        return yield* complain(usageError(event.commandPath, event.errors).message)
      case "Version":
        return yield* Console.log(`${event.name} ${event.version}`)
    }
  })
}
