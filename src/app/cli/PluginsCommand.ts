/** `spindle plugins`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as EndpointSchemePlugin from "../../plugin/EndpointSchemePlugin.ts"
import * as Plugin from "../../plugin/Plugin.ts"
import type * as PluginKind from "../../plugin/PluginKind.ts"
import { Registry } from "../../plugin/Registry.ts"
import * as SniffPlugin from "../../plugin/SniffPlugin.ts"
import { visible } from "../../result/VisibleText.ts"
import * as ExitStatus from "../ExitStatus.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { CommandFailure } from "./CommandFailure.ts"

/** The kinds whose plugins this program knows how to load. */
const kinds: ReadonlyArray<PluginKind.PluginKind<unknown>> = [
  ServiceMaker.kind,
  EndpointSchemePlugin.kind,
  SniffPlugin.kind
]

const placeOf = ({ package: from }: Plugin.PluginInfo): string =>
  from.origin === "built-in"
    ? "built in"
    : `${from.name}${from.version === undefined ? "" : ` ${from.version}`}`

const table = (plugins: ReadonlyArray<Plugin.PluginInfo>): ReadonlyArray<string> => {
  const rows = plugins.map((plugin) => [
    plugin.kind,
    plugin.name,
    placeOf(plugin),
    plugin.shadowedBy === undefined
      ? plugin.description
      : `(shadowed by ${plugin.shadowedBy.name}) ${plugin.description}`
  ])
  const width = (at: number) => Math.max(0, ...rows.map((row) => row[at]!.length))
  const widths = [width(0), width(1), width(2)]
  return rows.map((row) =>
    visible(
      row
        .map((cell, at) => (at < 3 ? cell.padEnd(widths[at]!) : cell))
        .join("  ")
        .trimEnd()
    )
  )
}

/** Loads all of a kind, or of all kinds, and gives what is wrong with those that are broken. */
const check = Effect.fnUntraced(function* (kind: Option.Option<string>) {
  const registry = yield* Registry
  const wanted = kinds.filter(({ name }) => Option.getOrElse(kind, () => name) === name)
  const loaded = yield* Effect.forEach(wanted, (one) => registry.loadAll(one))
  return loaded.flatMap(({ failed }) => failed.map(({ message }) => message))
})

export const plugins = Effect.fnUntraced(function* (input: {
  readonly kind: Option.Option<string>
  readonly check: boolean
  readonly json: boolean
}) {
  const all = yield* Plugin.list
  const listed = Option.isNone(input.kind) ? all : all.filter(({ kind }) => Option.contains(input.kind, kind))
  const problems = (yield* Plugin.problems).map(({ message }) => message)
  const broken = input.check ? yield* check(input.kind) : []
  const kind = Option.getOrUndefined(input.kind)
  if (kind !== undefined && listed.length === 0) {
    const known = [...new Set([...kinds, ...all.map(({ kind }) => ({ name: kind }))].map(({ name }) => name))]
    yield* Console.error(
      `spindle: there are no plugins of kind "${visible(kind)}" (kinds: ${known.join(", ")})`
    )
  }
  if (input.json) {
    yield* Console.log(JSON.stringify({ plugins: listed, problems: [...problems, ...broken] }, undefined, 2))
  } else {
    for (const line of table(listed)) yield* Console.log(line)
    for (const problem of [...problems, ...broken]) yield* Console.error(`spindle: ${visible(problem)}`)
  }
  if (broken.length > 0) {
    return yield* new CommandFailure({
      detail: `${broken.length} of ${listed.length} plugins cannot be used`,
      status: ExitStatus.codes.SOFTWARE
    })
  }
})
