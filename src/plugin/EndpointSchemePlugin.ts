/**
 * Plugins that add kinds of endpoint, so that whoever takes `tcp:8080` takes `onion:...`, too. A plugin's name is that of its
 * scheme. Twisted: `IStreamServerEndpointStringParser` and its sibling, of which all are imported for each string.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { EndpointSchemePlugin } from "spindle/plugin"
 * import { EndpointDescription } from "spindle/reactor"
 *
 * const endpoint = (text: string) =>
 *   Effect.flatMap(EndpointSchemePlugin.schemesFor(text), (schemes) => EndpointDescription.parseServer(text, { schemes }))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as EndpointScheme from "../reactor/EndpointScheme.ts"
import * as EndpointSchemes from "../reactor/EndpointSchemes.ts"
import type { Plugin } from "./PluginCatalogue.ts"
import { isRecord } from "./PluginEntry.ts"
import { PluginError } from "./PluginError.ts"
import * as PluginKind from "./PluginKind.ts"
import { InvalidValue } from "./PluginReason.ts"
import { messageOf, quoted } from "./PluginText.ts"
import { Registry } from "./Registry.ts"

const formFields = ["server", "client", "serverWrapper", "clientWrapper", "udp", "udpConnected"]

/** Whether `EndpointScheme.form` made it. */
const isForm = (value: unknown): boolean =>
  isRecord(value) &&
  isRecord(value["arguments"]) &&
  Array.isArray(value["positional"]) &&
  value["names"] instanceof Map &&
  value["hints"] instanceof Map &&
  typeof value["check"] === "function" &&
  typeof value["make"] === "function"

const taken: ReadonlySet<string> = new Set(EndpointSchemes.all.flatMap(EndpointScheme.namesOf))

const validate = (value: unknown): Result.Result<EndpointScheme.EndpointScheme, string> => {
  if (!isRecord(value) || typeof value["name"] !== "string") {
    return Result.fail("it is no endpoint scheme: it has no name")
  }
  for (const field of formFields) {
    if (value[field] !== undefined && !isForm(value[field])) {
      return Result.fail(`it is no endpoint scheme: EndpointScheme.form did not make its ${quoted(field)}`)
    }
  }
  try {
    const scheme = EndpointScheme.make(value as unknown as EndpointScheme.EndpointScheme)
    const name = EndpointScheme.namesOf(scheme).find((name) => taken.has(name))
    return name === undefined
      ? Result.succeed(scheme)
      : Result.fail(`the name ${quoted(name)} is that of a built-in scheme`)
  } catch (cause) {
    return Result.fail(messageOf(cause))
  }
}

export const kind: PluginKind.PluginKind<EndpointScheme.EndpointScheme> = PluginKind.make("endpoint-scheme", {
  description: "a kind of endpoint, for descriptions such as tcp:8080",
  validate
})

/**
 * The schemes of plugins that a description may name, for `EndpointDescription.Options`: only these are imported. Fails if one of
 * them cannot be used, or has a name that another one of them has.
 */
export const schemesFor = (
  text: string
): Effect.Effect<ReadonlyArray<EndpointScheme.EndpointScheme>, PluginError, Registry> =>
  Effect.gen(function* () {
    const words = new Set(text.split(":"))
    const plugins = yield* Effect.flatMap(Registry, (registry) => registry.all(kind))
    const wanted = plugins.filter(({ name, shadowedBy }) => shadowedBy === undefined && words.has(name))
    const owners = new Map<string, Plugin<EndpointScheme.EndpointScheme>>()
    const schemes: Array<EndpointScheme.EndpointScheme> = []
    for (const plugin of wanted) {
      const scheme = yield* plugin.load
      for (const name of EndpointScheme.namesOf(scheme)) {
        const owner = owners.get(name)
        if (owner !== undefined) return yield* conflict(plugin, name, owner)
        owners.set(name, plugin)
      }
      schemes.push(scheme)
    }
    return schemes
  })

const conflict = (plugin: Plugin<unknown>, name: string, owner: Plugin<unknown>): PluginError =>
  new PluginError({
    kind: plugin.kind,
    name: plugin.name,
    package: plugin.package.name,
    path: plugin.package.path,
    reason: new InvalidValue({
      detail: `its scheme has the name ${quoted(name)}, as that of the plugin ${quoted(owner.name)} of ${quoted(owner.package.name)} has`
    })
  })
