/**
 * The plugins of a package, as its `package.json` declares them:
 *
 * ```json
 * { "name": "greetings", "version": "1.2.0",
 *   "spindle": { "plugins": [
 *     { "name": "greeter", "kind": "service", "module": "./greeter.js", "export": "greeter", "description": "greets" } ] } }
 * ```
 *
 * Pure: bytes to data. Whatever is wrong becomes a problem, and what is right is kept.
 */
import * as Result from "effect/Result"
import * as Entry from "./PluginEntry.ts"
import { ofPackage, ofPath, PluginError } from "./PluginError.ts"
import { InvalidEntry, InvalidManifest } from "./PluginReason.ts"
import { messageOf, shown } from "./PluginText.ts"

/** A `package.json` of more is not read. */
export const manifestBytesMax = 1_048_576
/** Plugins that a package may have. */
export const pluginsMax = 256

const nameCharactersMax = 214
const versionCharactersMax = 256

export interface PluginManifest {
  readonly entries: ReadonlyArray<Entry.PluginEntry>
  readonly problems: ReadonlyArray<PluginError>
}

export interface ManifestPlace {
  readonly origin: Entry.Origin
  readonly directory: string
  readonly path: string
  /** For packages that do not say theirs, as a project may. */
  readonly name: string
}

const none: PluginManifest = { entries: [], problems: [] }
const word = Buffer.from(`"spindle"`)

/** Whether it is worth reading: most packages never mention Spindle, and to parse them all would take most of the time. */
export const mentionsSpindle = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(word)

const utf8 = new TextDecoder("utf-8", { fatal: true })

const textOr = (value: unknown, charactersMax: number): string | undefined =>
  typeof value === "string" && value !== "" ? shown(value, charactersMax) : undefined

/** Never throws. A package without plugins has none, and no problems. */
export const parse = (bytes: Uint8Array, place: ManifestPlace): PluginManifest => {
  if (!mentionsSpindle(bytes)) return none
  let json: unknown
  try {
    json = JSON.parse(utf8.decode(bytes))
  } catch (cause) {
    const detail = `it is no JSON: ${messageOf(cause)}`
    return { entries: [], problems: [ofPath(place.path, new InvalidManifest({ detail, cause }))] }
  }
  if (!Entry.isRecord(json) || !Object.hasOwn(json, "spindle")) return none
  const owner: Entry.PluginPackage = {
    name: textOr(json["name"], nameCharactersMax) ?? shown(place.name, nameCharactersMax),
    version: textOr(json["version"], versionCharactersMax),
    origin: place.origin,
    directory: place.directory,
    path: place.path
  }
  const declared = json["spindle"]
  if (!Entry.isRecord(declared)) return invalid(owner, `"spindle" is no object`)
  const plugins = Object.hasOwn(declared, "plugins") ? declared["plugins"] : []
  if (!Array.isArray(plugins)) return invalid(owner, `"spindle.plugins" is no list`)
  return readAll(plugins, owner)
}

const invalid = (owner: Entry.PluginPackage, detail: string): PluginManifest => ({
  entries: [],
  problems: [ofPackage(owner, new InvalidManifest({ detail }))]
})

const readAll = (plugins: ReadonlyArray<unknown>, owner: Entry.PluginPackage): PluginManifest => {
  const entries: Array<Entry.PluginEntry> = []
  const problems: Array<PluginError> = []
  if (plugins.length > pluginsMax) {
    const detail = `it has ${plugins.length} plugins, and only the first ${pluginsMax} are looked at`
    problems.push(ofPackage(owner, new InvalidManifest({ detail })))
  }
  for (const [index, value] of plugins.slice(0, pluginsMax).entries()) {
    const read = Entry.read(value, index, owner)
    if (Result.isSuccess(read)) {
      const { entry, unknown } = read.success
      entries.push(entry)
      for (const reason of unknown) {
        problems.push(problemOf(owner, entry.kind, entry.name, reason))
      }
    } else {
      const { details, kind, name } = read.failure
      problems.push(problemOf(owner, kind, name, new InvalidEntry({ index, details })))
    }
  }
  return { entries, problems }
}

const problemOf = (
  owner: Entry.PluginPackage,
  kind: string | undefined,
  name: string | undefined,
  reason: PluginError["reason"]
): PluginError => new PluginError({ kind, name, package: owner.name, path: owner.path, reason })
