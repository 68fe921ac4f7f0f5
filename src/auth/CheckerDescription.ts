/**
 * Checkers from text, for command lines: `--auth file:/etc/app/passwords --auth anonymous`. The grammar is that of endpoint
 * descriptions (`EndpointSyntax`), with its escapes. Twisted: `strcred.makeChecker`, `AuthOptionMixin`.
 *
 * ```ts check
 * import { CheckerDescription } from "spindle/auth"
 *
 * const checker = CheckerDescription.make("memory:alice=secret")
 * ```
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as EndpointSyntax from "../reactor/EndpointSyntax.ts"
import type { Fault } from "../reactor/Reason.ts"
import { nearest } from "../result/NearestWord.ts"
import { visible } from "../result/VisibleText.ts"
import type * as Checker from "./Checker.ts"
import * as CheckerScheme from "./CheckerScheme.ts"
import type { Known } from "./Credentials.ts"

/** A description is not valid. It may have secrets in it, so that no more is shown than its scheme. */
export class CheckerDescriptionError extends Data.TaggedError("CheckerDescriptionError")<{
  readonly scheme: string
  readonly detail: string
  /** How it is written, where the scheme is known. */
  readonly usage: string | undefined
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    const usage = this.usage === undefined ? "" : `\nusage: ${this.usage}`
    return `${visible(this.scheme)}: ${this.detail}${usage}`
  }
}

export interface Options {
  /** Besides those that are built in, and before them: of plugins. Default: none. */
  readonly schemes?: ReadonlyArray<CheckerScheme.CheckerScheme> | undefined
}

const schemesOf = ({ schemes = [] }: Options): ReadonlyArray<CheckerScheme.CheckerScheme> => {
  const names = new Set(schemes.map(({ name }) => name))
  return [...schemes, ...CheckerScheme.all.filter(({ name }) => !names.has(name))]
}

/** `file:PATH[:delimiter=TEXT]...` */
export const usage = ({ arguments: all, name }: CheckerScheme.CheckerScheme): string =>
  name + all.map(({ form }, i) => (i === 0 ? `:${form}` : `[:${form}]`)).join("")

const schemeCharactersMax = 40

/** The checker that the text describes. Fails as `CheckerDescriptionError` in words for whoever wrote it. */
export const make = Effect.fn("CheckerDescription.make")(function* (
  description: string,
  options: Options = {}
): Effect.fn.Return<Checker.Checker<Known>, CheckerDescriptionError, CheckerScheme.Environment> {
  const schemes = schemesOf(options)
  const name = description.split(":", 1)[0]!.slice(0, schemeCharactersMax)
  const scheme = schemes.find((scheme) => scheme.name === name)
  if (scheme === undefined) {
    const meant = nearest(
      name,
      schemes.map((scheme) => scheme.name)
    )
    const hint =
      meant === undefined
        ? `there are: ${schemes.map(({ name }) => name).join(", ")}`
        : `did you mean "${meant}"?`
    return yield* new CheckerDescriptionError({
      scheme: name === "" ? "authentication" : name,
      detail: `there is no such kind of authentication; ${hint}`,
      usage: undefined
    })
  }
  const failed = (detail: string) =>
    new CheckerDescriptionError({ scheme: name, detail, usage: usage(scheme) })
  const syntax = EndpointSyntax.parse(description)
  // Its message would show the description.
  if (Result.isFailure(syntax)) return yield* failed(syntax.failure.reason.hint ?? "an escape is wrong")
  const values = syntax.success.arguments.map(({ name, value }) => ({ name: name?.text, value: value.text }))
  return yield* Effect.mapError(scheme.make(values), failed)
})

const table = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const width = Math.max(0, ...rows.map(([term]) => term.length))
  return rows.map(([term, doc]) => `  ${term.padEnd(width)}  ${doc}`).join("\n")
}

/** What `--help-auth` prints. */
export const help = (options: Options = {}): string =>
  table(schemesOf(options).map((scheme) => [usage(scheme).split("[", 1)[0]!, scheme.doc]))

/** What `--help-auth-type NAME` prints; `undefined` for a name that is none. */
export const helpOf = (name: string, options: Options = {}): string | undefined => {
  const scheme = schemesOf(options).find((scheme) => scheme.name === name)
  if (scheme === undefined) return undefined
  const rows = scheme.arguments.map(({ doc, form }) => [form, doc] as const)
  return [
    usage(scheme),
    scheme.doc,
    ...(rows.length > 0 ? [table(rows)] : []),
    ...(scheme.help === undefined ? [] : [scheme.help])
  ].join("\n")
}
