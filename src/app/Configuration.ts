/**
 * The configuration of an application: a record of Effect's `Config`, read from flags, the environment, and files.
 *
 * ```ts
 * const config = {
 *   port: Config.Port("port").pipe(Config.withDefault(8080)),
 *   database: { url: Config.URL("url").pipe(Config.nested("database")) },
 *   token: Config.Redacted("token")
 * }
 * const { value } = yield* Configuration.load(config, { flags: ["port=80"], environment: process.env, file: "app.toml" })
 * ```
 *
 * What stands first holds: flags (`port=80`, `database.url=...`), the environment (`PORT`, `DATABASE_URL`), files of variables
 * (`.env`), the file (`port = 80`, `[database]`), the default.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { bytesMaxDefault } from "../node/NodeTextFile.ts"
import { ConfigurationError } from "./ConfigurationError.ts"
import * as Evaluation from "./ConfigurationEvaluation.ts"
import * as File from "./ConfigurationFile.ts"
import { type Issue, message } from "./ConfigurationIssue.ts"
import { describe, type Origin } from "./ConfigurationOrigin.ts"
import { type Row, rowsOf, type RowText } from "./ConfigurationRow.ts"
import type { Shape, Value } from "./ConfigurationShape.ts"
import { flags, type Source, type Variables, variables } from "./ConfigurationSource.ts"
import type { Explanation } from "./ConfigurationTable.ts"
import { unknownIn, unknownMax } from "./ConfigurationUnknown.ts"

export type { Shape, Value } from "./ConfigurationShape.ts"

export interface Sources {
  /** `key=value` each, as behind `--set`; or taken apart. The last of the same key holds. Default none. */
  readonly flags?: ReadonlyArray<string | readonly [key: string, value: string]> | undefined
  /** Default none: the environment is `process.env` only if somebody says so. */
  readonly environment?: Variables | undefined
  /** What the application's variables begin with, as `MYAPP_`. Default nothing. */
  readonly environmentPrefix?: string | undefined
  /** Files of variables, `.env`; the first one that has a variable holds. Default none. */
  readonly environmentFiles?: ReadonlyArray<string> | undefined
  /** `.json`, `.yaml`, `.yml`, `.toml` or `.env`. Default none. */
  readonly file?: string | undefined
  /** Longer files are refused. Default 1 MiB. */
  readonly fileBytesMax?: number | undefined
}

const texts = Symbol("spindle/app/Configuration/texts")

/** A configuration that can be used. */
export interface Configured<out A> {
  readonly value: A
  readonly rows: ReadonlyArray<Row>
  /** What is strange, a sentence each: keys that nothing asks for, above all. */
  readonly warnings: ReadonlyArray<string>
  /** Whole values by key, for `reload`; not to be shown. */
  readonly [texts]: ReadonlyMap<string, string>
}

interface Found {
  readonly sources: ReadonlyArray<Source>
  readonly issues: ReadonlyArray<Issue>
  readonly remarks: ReadonlyArray<string>
}

const found = Effect.fnUntraced(function* (from: Sources): Effect.fn.Return<Found> {
  const issues: Array<Issue> = []
  const remarks: Array<string> = []
  const entries: Array<readonly [string, string]> = []
  for (const [i, flag] of (from.flags ?? []).entries()) {
    if (typeof flag !== "string") entries.push(flag)
    else {
      const at = flag.indexOf("=")
      if (at < 1) issues.push({ _tag: "Malformed", position: i + 1 })
      else entries.push([flag.slice(0, at).trim(), flag.slice(at + 1)])
    }
  }
  const prefix = from.environmentPrefix ?? ""
  const sources = [flags(entries)]
  if (from.environment !== undefined) sources.push(variables(from.environment, prefix))
  const bytesMax = from.fileBytesMax ?? bytesMaxDefault
  const files = [
    ...(from.environmentFiles ?? []).map((path) => ({ path, format: "env" as const })),
    ...(from.file === undefined ? [] : [{ path: from.file, format: undefined }])
  ]
  for (const { format, path } of files) {
    const file = yield* File.load(path, { bytesMax, prefix, format })
    if (Result.isFailure(file)) issues.push(file.failure)
    else {
      sources.push(file.success.source)
      remarks.push(...file.success.remarks)
    }
  }
  return { sources, issues, remarks }
})

interface Examination {
  readonly value: unknown
  readonly issues: ReadonlyArray<Issue>
  readonly rows: ReadonlyArray<RowText>
  readonly warnings: ReadonlyArray<string>
}

/** Each `Config` of the record on its own, so that one that is wrong hides no other. */
const each = (
  shape: Shape | Config.Config<unknown>,
  sources: ReadonlyArray<Source>
): Effect.Effect<{ readonly value: unknown; readonly all: ReadonlyArray<Evaluation.Evaluation> }> =>
  Config.isConfig(shape)
    ? Effect.map(Evaluation.evaluate(shape, sources), (one) => ({ value: one.value?.held, all: [one] }))
    : Effect.map(
        Effect.forEach(Object.entries(shape), ([name, inner]) =>
          Effect.map(each(inner, sources), (result) => [name, result] as const)
        ),
        (entries) => ({
          value: Object.fromEntries(entries.map(([name, { value }]) => [name, value])),
          all: entries.flatMap(([, { all }]) => all)
        })
      )

const examine = Effect.fnUntraced(function* (
  shape: Shape | Config.Config<unknown>,
  from: Sources
): Effect.fn.Return<Examination> {
  const { issues: before, remarks, sources } = yield* found(from)
  const { all, value } = yield* each(shape, sources)
  const isFileBad = before.some(({ _tag }) => _tag === "BadFile")
  // What is missing may be in the file that cannot be read.
  const issues = all.flatMap((one) => one.issues).filter((issue) => !(isFileBad && issue._tag === "Missing"))
  const asked = new Set(all.flatMap((one) => Array.from(one.loads.keys())))
  const isComplete = all.every((one) => one.isComplete)
  const unknown = sources.flatMap((source) =>
    unknownIn(source, asked)
      // Somebody may ask for it who was not reached.
      .filter(({ suggestion }) => isComplete || source.unknown === "mistake" || suggestion !== undefined)
      .map((issue) => ({ issue, kind: source.unknown }))
  )
  const strange = unknown.filter(({ kind }) => kind === "warning").map(({ issue }) => message(issue))
  const more = strange.length - unknownMax
  return {
    value,
    issues: [
      ...before,
      ...issues,
      ...unknown.filter(({ kind }) => kind === "mistake").map(({ issue }) => issue)
    ],
    rows: unique(all.flatMap(rowsOf)),
    warnings: [
      ...remarks,
      ...strange.slice(0, unknownMax),
      ...(more > 0 ? [`and ${more} more keys that nothing asks for`] : [])
    ]
  }
})

/** A key that two `Config`s ask for has one row. */
const unique = (rows: ReadonlyArray<RowText>): ReadonlyArray<RowText> =>
  Array.from(new Map(rows.toReversed().map((entry) => [entry.row.key, entry])).values()).toReversed()

const load_ = Effect.fnUntraced(function* (
  shape: Shape | Config.Config<unknown>,
  from: Sources
): Effect.fn.Return<Configured<unknown>, ConfigurationError> {
  const { issues, rows, value, warnings } = yield* examine(shape, from)
  if (issues.length > 0) return yield* new ConfigurationError({ issues })
  return {
    value,
    rows: rows.map(({ row }) => row),
    warnings,
    [texts]: new Map(rows.map(({ row, text }) => [row.key, text]))
  }
})

/**
 * The value; or everything that is wrong with it at once, each with the key, what was expected, and where the value came from
 * or could have come from. No secret is in the error: what becomes a `Redacted`, what has a secret's name, passwords in URLs.
 */
export const load = <const S extends Shape>(
  config: S,
  sources: Sources
): Effect.Effect<Configured<Value<S>>, ConfigurationError> =>
  load_(config, sources) as Effect.Effect<Configured<Value<S>>, ConfigurationError>

/** What holds and whence, whether it can be used or not; secrets are redacted. See `ConfigurationTable` for how it is shown. */
export const explain = (config: Shape, sources: Sources): Effect.Effect<Explanation> =>
  Effect.map(examine(config, sources), ({ issues, rows, warnings }) => ({
    rows: rows.map(({ row }) => row),
    issues,
    warnings
  }))

/** A key that has another value than before. What is shown is `Row`'s. */
export interface Change {
  readonly key: string
  readonly before: string
  readonly after: string
  readonly origin: Origin
}

/** `port: 80 -> 8080 (app.toml:3 (port))` */
export const changeText = ({ after, before, key, origin }: Change): string =>
  `${key}: ${before === "" ? "nothing" : before} -> ${after === "" ? "nothing" : after} (${describe(origin)})`

export interface Reloaded<out A> {
  readonly configured: Configured<A>
  /** The keys whose values are others now, wherever they come from; none if nothing has changed. */
  readonly changes: ReadonlyArray<Change>
}

/** Loads again, and tells what is new. If it fails, what was loaded before still holds. */
export const reload = <const S extends Shape>(
  config: S,
  sources: Sources,
  previous: Configured<Value<S>>
): Effect.Effect<Reloaded<Value<S>>, ConfigurationError> =>
  Effect.map(load(config, sources), (configured) => ({
    configured,
    changes: changesOf(previous, configured)
  }))

const changesOf = (previous: Configured<unknown>, configured: Configured<unknown>): ReadonlyArray<Change> => {
  const rows = new Map([...previous.rows, ...configured.rows].map((row) => [row.key, row]))
  const shown = (from: Configured<unknown>, key: string) =>
    from.rows.find((row) => row.key === key)?.value ?? ""
  return Array.from(rows.values()).flatMap(({ key, origin }) =>
    previous[texts].get(key) === configured[texts].get(key)
      ? []
      : [{ key, before: shown(previous, key), after: shown(configured, key), origin }]
  )
}
