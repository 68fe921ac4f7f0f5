/** What a JSON, YAML or TOML file holds, as a source. */
import { makeArray, makeRecord, makeValue, type Node } from "effect/ConfigProvider"
import * as Key from "./ConfigurationKey.ts"
import type { Given, Source } from "./ConfigurationSource.ts"

type Table = Readonly<Record<string, unknown>>

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

const at = (root: unknown, path: Key.Path): unknown => {
  let value = root
  for (const segment of path) {
    if (Array.isArray(value)) value = typeof segment === "number" ? value[segment] : undefined
    else if (isTable(value)) value = Object.hasOwn(value, segment) ? value[segment] : undefined
    else return undefined
  }
  return value
}

const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value === "" ? undefined : value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString()
  return typeof value === "object" ? undefined : String(value)
}

const nodeOf = (value: unknown): Node | undefined => {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) return makeArray(value.length)
  if (isTable(value)) return makeRecord(new Set(Object.keys(value)))
  const text = textOf(value)
  return text === undefined ? undefined : makeValue(text)
}

/** What is met on the way to a path where a text, or a table, should be. */
const obstacle = (root: unknown, path: Key.Path): string | undefined => {
  for (let length = 1; length <= path.length; length++) {
    const value = at(root, path.slice(0, length))
    if (value === undefined) return undefined
    const whole = length === path.length
    const name = whole ? "it" : Key.textOf(path.slice(0, length))
    if (value === null || value === "") return `${name} is empty`
    const kind = Array.isArray(value) ? "list" : isTable(value) ? "table" : "text"
    if (whole) return kind === "text" ? undefined : `${name} is a ${kind} there`
    if (kind === "text") return `${name} is a single value there, not a table`
  }
  return undefined
}

/** Aliases of YAML can make a small file a tree without end. */
const keysMax = 10_000
const depthMax = 32

const givenIn = (root: unknown): ReadonlyArray<Given> => {
  let keys = 0
  const walk = (value: unknown, path: Key.Path): ReadonlyArray<Given> => {
    if (path.length >= depthMax) return []
    const entries: ReadonlyArray<readonly [string | number, unknown]> = Array.isArray(value)
      ? value.map((item, i) => [i, item])
      : isTable(value)
        ? Object.entries(value)
        : []
    const given: Array<Given> = []
    for (const [segment, child] of entries) {
      if (++keys > keysMax && path.length > 0) break
      const below = [...path, segment]
      given.push({ path: below, children: walk(child, below) })
    }
    return given
  }
  return walk(root, [])
}

/** @param lines by `Key.textOf`; what has none is looked for at what it stands in */
export const source = (file: string, root: Table, lines: ReadonlyMap<string, number>): Source => {
  const lineOf = (path: Key.Path): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(Key.textOf(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return undefined
  }
  return {
    find: (path) => nodeOf(at(root, path)),
    origin: (path) => ({ _tag: "File", path: file, key: Key.textOf(path), line: lineOf(path) }),
    invitation: (path) => `${Key.textOf(path)} in ${file}`,
    obstacle: (path) => {
      const what = obstacle(root, path)
      return what === undefined ? undefined : `${file}: ${what}`
    },
    given: givenIn(root),
    unknown: "warning",
    isLoose: false
  }
}
