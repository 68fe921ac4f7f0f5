/** What a package says about one plugin: data, checked, without a look at the code. */
import * as Result from "effect/Result"
import { nearest } from "../result/NearestWord.ts"
import { UnknownField } from "./PluginReason.ts"
import { quoted, shown } from "./PluginText.ts"

/**
 * Where a package was found, from near to far:
 *
 * - `project`: it is the one that the directory belongs to.
 * - `path`: in a directory that the user named.
 * - `installed`: in a `node_modules` directory, where Node would find it.
 * - `built-in`: the program brings it.
 */
export type Origin = "project" | "path" | "installed" | "built-in"

export interface PluginPackage {
  readonly name: string
  readonly version: string | undefined
  readonly origin: Origin
  /** Its directory; nothing for what is built in. */
  readonly directory: string | undefined
  /** Its `package.json`; nothing for what is built in. */
  readonly path: string | undefined
}

/** Where the code is. */
export type PluginCode =
  | { readonly _tag: "File"; readonly module: string }
  | { readonly _tag: "BuiltIn"; readonly load: () => PromiseLike<Readonly<Record<string, unknown>>> }

export interface PluginEntry {
  readonly kind: string
  readonly name: string
  /** One line, nothing in it invisible; empty, if there is none. */
  readonly description: string
  /** The name that its module exports it by. */
  readonly export: string
  /** What must have been initialized before it, if it is there: `NAME` or `KIND:NAME`. */
  readonly after: ReadonlyArray<string>
  /** What must be there and initialized before it: `NAME` or `KIND:NAME`, and the versions that will do. */
  readonly requires: ReadonlyMap<string, string>
  readonly package: PluginPackage
  readonly code: PluginCode
}

export const nameCharactersMax = 64
export const descriptionCharactersMax = 500
export const moduleCharactersMax = 300
export const exportCharactersMax = 100
export const referencesMax = 64
export const rangeCharactersMax = 200
/** More are not told. */
const unknownFieldsMax = 8

const word = `[A-Za-z0-9][A-Za-z0-9+._-]{0,${nameCharactersMax - 1}}`
const nameForm = new RegExp(`^${word}$`)
const referenceForm = new RegExp(`^(${word}:)?${word}$`)
const nameRule = `1 to ${nameCharactersMax} of the characters A-Z a-z 0-9 + . _ -, the first one a letter or a digit`

/** Whether it can be the name of a plugin or of a kind. */
export const isName = (text: string): boolean => nameForm.test(text)

const fields = ["name", "kind", "module", "export", "description", "after", "requires"]

/** An object of JSON; not an array, not null. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const typeOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "object"
        ? "an object"
        : `${typeof value}`

/**
 * Why a module's path may not be: it must lead to a file of JavaScript or TypeScript of the package, whatever the system.
 * Nothing, if it may.
 */
const moduleFault = (module: string): string | undefined => {
  if (module.length > moduleCharactersMax) return `has more than ${moduleCharactersMax} characters`
  if (shown(module, moduleCharactersMax) !== module) return "has characters that cannot be seen"
  if (module.startsWith("/") || module.includes("\\") || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(module)) {
    return `is not a path relative to its package: ${quoted(module)}`
  }
  if (module.split("/").includes("..")) return `leads out of its package: ${quoted(module)}`
  return /[^/]\.[cm]?[jt]s$/.test(module)
    ? undefined
    : `is no .js, .mjs, .cjs, .ts, .mts or .cts: ${quoted(module)}`
}

/** What is wrong with the metadata, and what could be read of them in spite of that. */
export interface EntryFaults {
  readonly kind: string | undefined
  readonly name: string | undefined
  readonly details: ReadonlyArray<string>
}

export interface ReadEntry {
  readonly entry: PluginEntry
  readonly unknown: ReadonlyArray<UnknownField>
}

/** Reads the fields of one entry, and collects all that is wrong with them. */
class Fields {
  readonly faults: Array<string> = []
  private readonly record: Readonly<Record<string, unknown>>

  constructor(record: Readonly<Record<string, unknown>>) {
    this.record = record
  }

  get(field: string): unknown {
    return Object.hasOwn(this.record, field) ? this.record[field] : undefined
  }

  /** Text that the rule finds no fault with; otherwise nothing. */
  text(field: string, fault: (text: string) => string | undefined, absent?: string): string | undefined {
    const value = this.get(field)
    if (value === undefined && absent !== undefined) return absent
    const wrong =
      value === undefined
        ? "is missing"
        : typeof value === "string"
          ? fault(value)
          : `is ${typeOf(value)}, not text`
    if (wrong === undefined) return value as string
    this.faults.push(`${quoted(field)} ${wrong}`)
    return undefined
  }

  after(): ReadonlyArray<string> {
    const value = this.get("after") ?? []
    const isGood =
      Array.isArray(value) &&
      value.length <= referencesMax &&
      value.every((item) => typeof item === "string" && referenceForm.test(item))
    if (isGood) return value as ReadonlyArray<string>
    this.faults.push(`"after" is no list of at most ${referencesMax} names of plugins`)
    return []
  }

  requires(): ReadonlyMap<string, string> {
    const value = this.get("requires") ?? {}
    const items = isRecord(value) ? Object.entries(value) : undefined
    const isGood =
      items !== undefined &&
      items.length <= referencesMax &&
      items.every(
        ([name, range]) =>
          referenceForm.test(name) && typeof range === "string" && range.length <= rangeCharactersMax
      )
    if (isGood) return new Map(items as ReadonlyArray<[string, string]>)
    this.faults.push(
      `"requires" is no object of at most ${referencesMax} names of plugins, each with a range of versions`
    )
    return new Map()
  }
}

const nameFault = (text: string): string | undefined =>
  isName(text) ? undefined : `must be ${nameRule}, not ${quoted(text)}`

const lengthFault =
  (charactersMax: number) =>
  (text: string): string | undefined =>
    text.length <= charactersMax ? undefined : `has more than ${charactersMax} characters`

const exportFault = (text: string): string | undefined =>
  text === "" ? "is empty" : lengthFault(exportCharactersMax)(text)

/** One entry of `spindle.plugins`, the `index`th. `code` is given for what is built in, and has no `module`. */
export const read = (
  value: unknown,
  index: number,
  owner: PluginPackage,
  code?: PluginCode
): Result.Result<ReadEntry, EntryFaults> => {
  if (!isRecord(value)) {
    return Result.fail({
      kind: undefined,
      name: undefined,
      details: [`it is ${typeOf(value)}, not an object`]
    })
  }
  const of = new Fields(value)
  const name = of.text("name", nameFault)
  const kind = of.text("kind", nameFault)
  const module = code === undefined ? of.text("module", moduleFault) : ""
  const exported = of.text("export", exportFault, "default")
  const description = of.text("description", lengthFault(descriptionCharactersMax), "")
  const after = of.after()
  const requires = of.requires()
  if (
    name === undefined ||
    kind === undefined ||
    module === undefined ||
    exported === undefined ||
    description === undefined ||
    of.faults.length > 0
  ) {
    return Result.fail({ kind, name, details: of.faults })
  }
  return Result.succeed({
    entry: {
      kind,
      name,
      description: shown(description.trim(), descriptionCharactersMax),
      export: exported,
      after,
      requires,
      package: owner,
      code: code ?? { _tag: "File", module }
    },
    unknown: Object.keys(value)
      .filter((field) => !fields.includes(field))
      .slice(0, unknownFieldsMax)
      .map((field) => new UnknownField({ index, field, suggestion: nearest(field, fields) }))
  })
}

/** `KIND:NAME`. */
export const keyOf = ({ kind, name }: { readonly kind: string; readonly name: string }): string =>
  `${kind}:${name}`
