/** Something that values of a configuration come from: flags, the environment, a file. */
import { makeArray, makeRecord, makeValue, type Node } from "effect/ConfigProvider"
import * as Key from "./ConfigurationKey.ts"
import type { Origin } from "./ConfigurationOrigin.ts"

/** A key that somebody gave. */
export interface Given {
  readonly path: Key.Path
  readonly children: ReadonlyArray<Given>
}

export interface Source {
  /** What it has there. An empty text counts as not given, as it does everywhere in Effect's configuration. */
  readonly find: (path: Key.Path) => Node | undefined
  readonly origin: (path: Key.Path) => Origin
  /** How the key could have been given here: `--set port=...`, `environment variable PORT`. */
  readonly invitation: (path: Key.Path) => string
  /** Something of this name that is not a value, in words: `app.toml has a table there`. */
  readonly obstacle: (path: Key.Path) => string | undefined
  /** All that it has, to find what nobody asks for; none where much is there for other reasons (the environment). */
  readonly given: ReadonlyArray<Given>
  /** What nobody asks for: is it a mistake, or to be warned of? */
  readonly unknown: "mistake" | "warning"
  /** Whether keys below one say nothing about it: `PORT_RANGE` is in the environment for reasons of its own. */
  readonly isLoose: boolean
}

/** What stands below a key in texts like `database.url` or `DATABASE_URL`. */
const childrenOf = (names: Iterable<string>, prefix: string, separator: string): ReadonlyArray<string> => {
  const children = new Set<string>()
  for (const name of names) {
    if (!name.startsWith(prefix)) continue
    const [child] = name.slice(prefix.length).split(separator, 1)
    if (child !== undefined && child !== "") children.add(child)
  }
  return Array.from(children)
}

const nodeOf = (value: string | undefined, children: ReadonlyArray<string>): Node | undefined => {
  if (children.length === 0) return value === undefined ? undefined : makeValue(value)
  return Key.areIndexes(children)
    ? makeArray(Math.max(...children.map(Number)) + 1, value)
    : makeRecord(new Set(children), value)
}

const unlessEmpty = (value: string | undefined): string | undefined => (value === "" ? undefined : value)

/** `--set KEY=VALUE`, each once; the last of the same key holds. */
export const flags = (entries: Iterable<readonly [key: string, value: string]>): Source => {
  const values = new Map(entries)
  return {
    find: (path) => {
      const key = Key.textOf(path)
      return nodeOf(unlessEmpty(values.get(key)), childrenOf(values.keys(), key === "" ? "" : `${key}.`, "."))
    },
    origin: (path) => ({ _tag: "Flag", key: Key.textOf(path) }),
    invitation: (path) => `--set ${Key.textOf(path)}=...`,
    obstacle: (path) =>
      values.get(Key.textOf(path)) === "" ? `flag --set ${Key.textOf(path)} is empty` : undefined,
    given: Array.from(values.keys(), (key) => ({ path: [key], children: [] })),
    unknown: "mistake",
    isLoose: false
  }
}

export type Variables = Readonly<Record<string, string | undefined>>

/** Where variables are: in the environment, or in a file of them. */
export interface Place {
  readonly file: string
  readonly lines: ReadonlyMap<string, number>
}

/** Variables by constant case behind a prefix. */
export const variables = (all: Variables, prefix: string, place?: Place): Source => {
  const names = Object.keys(all).filter((name) => all[name] !== undefined)
  const value = (name: string) => (Object.hasOwn(all, name) ? all[name] : undefined)
  const said = place === undefined ? "environment variable " : `${place.file}: `
  return {
    find: (path) => {
      const name = Key.variableOf(path, prefix)
      if (path.length === 0 && prefix === "") return undefined
      const below = path.length === 0 ? prefix : `${name}_`
      const children = childrenOf(names, below, "_").map((child) => child.toLowerCase())
      return nodeOf(path.length === 0 ? undefined : unlessEmpty(value(name)), children)
    },
    origin: (path) => {
      const variable = Key.variableOf(path, prefix)
      return place === undefined
        ? { _tag: "Environment", variable }
        : { _tag: "EnvironmentFile", path: place.file, variable, line: place.lines.get(variable) }
    },
    invitation: (path) => `${said}${Key.variableOf(path, prefix)}`,
    obstacle: (path) => {
      const name = Key.variableOf(path, prefix)
      return value(name) === "" ? `${said}${name} is empty` : undefined
    },
    given: [],
    unknown: "warning",
    isLoose: true
  }
}
