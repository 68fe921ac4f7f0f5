/** A file of configuration, read and made a source. What it is, its name says: `.json`, `.yaml`, `.yml`, `.toml`, `.env`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as NodeTextFile from "../node/NodeTextFile.ts"
import * as DotEnv from "./ConfigurationDotEnv.ts"
import type { BadFile } from "./ConfigurationIssue.ts"
import { places } from "./ConfigurationJson.ts"
import * as Lines from "./ConfigurationLines.ts"
import { variables, type Source } from "./ConfigurationSource.ts"
import { isTable, source } from "./ConfigurationTree.ts"

/** How files are read: from the disk, unless a test says otherwise. */
export const ConfigurationFiles = Context.Reference<
  (path: string, bytesMax: number) => Effect.Effect<string, NodeTextFile.TextFileError>
>("spindle/app/ConfigurationFiles", {
  defaultValue: () => (path, bytesMax) => NodeTextFile.read(path, { bytesMax })
})

/** A file that was read. */
export interface Loaded {
  readonly source: Source
  /** What in it is strange, though it can be used; a sentence each. */
  readonly remarks: ReadonlyArray<string>
}

export type Format = "json" | "yaml" | "toml" | "env"

export const formatOf = (path: string): Format | undefined => {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase()
  if (name === ".env" || name.startsWith(".env.") || name.endsWith(".env")) return "env"
  const extension = name.slice(name.lastIndexOf(".") + 1)
  if (extension === "yml") return "yaml"
  return extension === "json" || extension === "yaml" || extension === "toml" ? extension : undefined
}

const bad = (path: string, detail: string, line?: number, column?: number): BadFile => ({
  _tag: "BadFile",
  path,
  line,
  column,
  detail
})

interface Parsed {
  readonly root: unknown
  readonly lines: ReadonlyMap<string, number>
  readonly duplicates: ReadonlyArray<string>
}

const json = (path: string, text: string): Result.Result<Parsed, BadFile> => {
  const { duplicates, lines, mistake } = places(text)
  return mistake === undefined
    ? Result.succeed({ root: JSON.parse(text) as unknown, lines, duplicates })
    : Result.fail(bad(path, `not JSON: ${mistake.detail}`, mistake.line, mistake.column))
}

/**
 * The parsers of Effect quote what they stumble upon, which may be a secret; and say `at line 3, column 4` at the end. A key is
 * told, as what stands twice.
 */
const mistake = (path: string, name: string, message: string): BadFile => {
  const place = /,? at line ([0-9]+)(?:, column ([0-9]+))?$/.exec(message)
  const what = place === null ? message : message.slice(0, place.index)
  const known = /stack size/.test(what) ? "it is nested too deeply" : what
  const detail = /\bkey '|\btable '/.test(known) ? known : known.replace(/\s*[*\\]?'[\s\S]*'/, "").trim()
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return bad(path, `not ${name}: ${detail}`, number(place?.[1]), number(place?.[2]))
}

const toml = (path: string, text: string): Effect.Effect<Result.Result<Parsed, BadFile>> =>
  Effect.map(
    Effect.promise(() => import("effect/encoding/Toml")),
    ({ parse }) =>
      Result.mapBoth(parse(text), {
        onSuccess: (root) => ({ root, lines: Lines.toml(text), duplicates: [] }),
        onFailure: ({ message }) => mistake(path, "TOML", message)
      })
  )

const yaml = (path: string, text: string): Effect.Effect<Result.Result<Parsed, BadFile>> =>
  Effect.map(
    Effect.promise(() => import("effect/encoding/Yaml")),
    ({ parse }) =>
      Result.try({
        try: () => ({ root: parse(text), lines: Lines.yaml(text), duplicates: [] }),
        catch: (error) => mistake(path, "YAML", error instanceof Error ? error.message : "")
      })
  )

const tree = (path: string, { duplicates, lines, root }: Parsed): Result.Result<Loaded, BadFile> => {
  // A file of nothing but comments is YAML's null.
  const table = root === null ? {} : root
  return isTable(table)
    ? Result.succeed({
        source: source(path, table, lines),
        remarks: duplicates.map((key) => `${path}: ${key} is there twice; the last one holds`)
      })
    : Result.fail(bad(path, "it has no keys at its top: it must be a table of them"))
}

const environment = (path: string, text: string, prefix: string): Loaded => {
  const { lines, strange, values } = DotEnv.parse(text)
  return {
    source: variables(values, prefix, { file: path, lines }),
    remarks: strange.map((line) => `${path}:${line}: this is not NAME=value, and says nothing`)
  }
}

const parsed = (
  path: string,
  format: Exclude<Format, "env">,
  text: string
): Effect.Effect<Result.Result<Parsed, BadFile>> =>
  format === "json" ? Effect.sync(() => json(path, text)) : { toml, yaml }[format](path, text)

/** @param format told by the name, if it is not given */
export const load = Effect.fnUntraced(function* (
  path: string,
  options: { readonly bytesMax: number; readonly prefix: string; readonly format?: Format | undefined }
): Effect.fn.Return<Result.Result<Loaded, BadFile>> {
  const format = options.format ?? formatOf(path)
  if (format === undefined) {
    return Result.fail(
      bad(path, "its name does not say what it is: it must end in .json, .yaml, .toml or .env")
    )
  }
  const read = yield* ConfigurationFiles
  const text = yield* Effect.result(read(path, options.bytesMax))
  if (Result.isFailure(text)) return Result.fail(bad(path, text.failure.detail))
  const contents = text.success.replace(/^\uFEFF/, "")
  if (format === "env") return Result.succeed(environment(path, contents, options.prefix))
  return Result.flatMap(yield* parsed(path, format, contents), (found) => tree(path, found))
})
