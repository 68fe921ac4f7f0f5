/**
 * A kind of plugin: a typed point where a program can be extended. Packages name it in their metadata, and a program that asks for
 * plugins of a kind gets values of its type. Twisted: the interface given to `getPlugins`.
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { PluginKind } from "spindle/plugin"
 *
 * interface Greeting {
 *   readonly text: string
 * }
 * const isGreeting = (value: unknown): value is Greeting =>
 *   typeof value === "object" && value !== null && "text" in value && typeof value.text === "string"
 *
 * const Greeting = PluginKind.make<Greeting>("greeting", {
 *   description: "what a visitor is told first",
 *   validate: (value) => isGreeting(value) ? Result.succeed(value) : Result.fail("it has no text")
 * })
 * ```
 */
import * as Result from "effect/Result"
import { isName } from "./PluginEntry.ts"
import { quoted } from "./PluginText.ts"

export interface PluginKind<out A> {
  /** What packages write as `kind`. */
  readonly name: string
  /** One line for people; empty, if there is none. */
  readonly description: string
  /** The value that a plugin exports, as one of this kind; or why it is none, in a clause: `it has no text`. */
  readonly validate: (value: unknown) => Result.Result<A, string>
}

/** Throws a `TypeError` if no package can write the name. */
export const make = <A>(
  name: string,
  options: {
    readonly validate: (value: unknown) => Result.Result<A, string>
    readonly description?: string | undefined
  }
): PluginKind<A> => {
  if (!isName(name)) throw new TypeError(`${quoted(name)} cannot be the name of a kind of plugins`)
  return { name, description: options.description ?? "", validate: options.validate }
}

/** A `validate` for values that a predicate knows: `PluginKind.guard(isGreeting, "a greeting")`. */
export const guard =
  <A>(is: (value: unknown) => value is A, what: string) =>
  (value: unknown): Result.Result<A, string> =>
    is(value) ? Result.succeed(value) : Result.fail(`it is not ${what}`)
