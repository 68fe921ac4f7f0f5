/**
 * Plugins that add kinds of authentication, so that whoever takes `--auth file:...` takes `--auth ldap:...`, too. A plugin's name is
 * that of its scheme. Twisted: `ICheckerFactory` plugins, of which all are imported to make one checker.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { CheckerSchemePlugin } from "spindle/app"
 * import { CheckerDescription } from "spindle/auth"
 *
 * const checker = (text: string) =>
 *   Effect.flatMap(CheckerSchemePlugin.schemesFor(text), (schemes) => CheckerDescription.make(text, { schemes }))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as CheckerScheme from "../auth/CheckerScheme.ts"
import type { PluginError } from "../plugin/PluginError.ts"
import * as PluginKind from "../plugin/PluginKind.ts"
import { Registry } from "../plugin/Registry.ts"

const taken = new Set(CheckerScheme.all.map(({ name }) => name))

const isStrings = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === "string")

const isArguments = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every(
    (item: unknown) =>
      typeof item === "object" &&
      item !== null &&
      "form" in item &&
      typeof item.form === "string" &&
      "doc" in item &&
      typeof item.doc === "string"
  )

const validate = (value: unknown): Result.Result<CheckerScheme.CheckerScheme, string> => {
  if (typeof value !== "object" || value === null) return Result.fail("it is no checker scheme")
  const scheme = value as Readonly<Record<string, unknown>>
  const { doc, kinds, make, name } = scheme
  if (typeof name !== "string" || !/^[A-Za-z][A-Za-z0-9+._-]*$/.test(name)) {
    return Result.fail("it is no checker scheme: it has no name that a description can hold")
  }
  if (taken.has(name)) return Result.fail(`the name "${name}" is that of a built-in scheme`)
  if (typeof doc !== "string" || !isArguments(scheme["arguments"]) || !isStrings(kinds)) {
    return Result.fail("it is no checker scheme: doc, arguments or kinds are missing")
  }
  return typeof make === "function"
    ? Result.succeed(value as CheckerScheme.CheckerScheme)
    : Result.fail("it is no checker scheme: it has no make")
}

export const kind: PluginKind.PluginKind<CheckerScheme.CheckerScheme> = PluginKind.make("checker", {
  description: "a kind of authentication, for descriptions such as file:/etc/passwords",
  validate
})

/** The scheme of the plugin that a description names, for `CheckerDescription.Options`: only that one is imported. */
export const schemesFor = (
  text: string
): Effect.Effect<ReadonlyArray<CheckerScheme.CheckerScheme>, PluginError, Registry> =>
  Effect.gen(function* () {
    const name = text.split(":", 1)[0]!
    const plugins = yield* Effect.flatMap(Registry, (registry) => registry.all(kind))
    const wanted = plugins.find((plugin) => plugin.name === name && plugin.shadowedBy === undefined)
    return wanted === undefined ? [] : [{ ...(yield* wanted.load), name }]
  })
