/**
 * On which lines the keys of a YAML or TOML text stand, for messages: by path joined with dots, the first line is 1. What stands
 * in `{ }` or `[ ]` has no line of its own. The text is one that the parser of its format has accepted.
 */

type Lines = ReadonlyMap<string, number>

const join = (path: string, key: string | number): string => (path === "" ? String(key) : `${path}.${key}`)

const unquoted = (key: string): string => {
  const text = key.trim()
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text) as string
    } catch {
      return text.slice(1, -1)
    }
  }
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text
}

// --- YAML -----------------------------------------------------------------------------------------------

/** A key or a dash that what follows may stand below. */
interface Open {
  readonly kind: "key" | "dash"
  readonly column: number
  readonly path: string
  /** How many entries of a list there were below it so far. */
  items: number
}

const yamlKey = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#{[\]},&*!|>%@][^#]*?)\s*:(?:\s+(.*))?$/
const blockScalar = /^(?:&\S+\s+)?[|>][0-9+-]*\s*(?:#.*)?$/

const isKeyAt = (open: Open, column: number): boolean => open.kind === "key" && open.column === column

export const yaml = (text: string): Lines => {
  const lines = new Map<string, number>()
  const open: Array<Open> = [{ kind: "key", column: -1, path: "", items: 0 }]
  /** A block scalar runs on while lines are indented more than this. */
  let scalarColumn: number | undefined
  const enter = (line: number, kind: Open["kind"], column: number, key?: string): void => {
    // A list may stand at the very column of its key.
    while (open.at(-1)!.column >= column && !(kind === "dash" && isKeyAt(open.at(-1)!, column))) open.pop()
    const parent = open.at(-1)!
    const path = join(parent.path, key ?? parent.items++)
    if (!lines.has(path)) lines.set(path, line)
    open.push({ kind, column, path, items: 0 })
  }
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    if (/^\s*(#|$)/.test(raw) || /^(---|\.\.\.|%)/.test(raw)) continue
    let rest = raw.trimStart()
    let column = raw.length - rest.length
    if (scalarColumn !== undefined && column > scalarColumn) continue
    scalarColumn = undefined
    const dash = /^-(?:\s+|$)/.exec(rest)
    if (dash !== null) {
      enter(i + 1, "dash", column)
      rest = rest.slice(dash[0].length)
      if (blockScalar.test(rest)) scalarColumn = column
      column += dash[0].length
    }
    const key = yamlKey.exec(rest)
    if (key === null) continue
    enter(i + 1, "key", column, unquoted(key[1]!))
    if (blockScalar.test(key[2] ?? "")) scalarColumn = column
  }
  return lines
}

// --- TOML -----------------------------------------------------------------------------------------------

const part = String.raw`(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)`
const tomlPath = String.raw`${part}(?:\s*\.\s*${part})*`
const tomlTable = new RegExp(String.raw`^\s*(\[\[?)\s*(${tomlPath})\s*\]`)
const tomlKey = new RegExp(String.raw`^\s*(${tomlPath})\s*=\s*(.*)$`)
const tomlParts = new RegExp(part, "g")

/** The quotes of a text that goes on on the next line, if one begins here. */
const opensText = (value: string): string | undefined =>
  ['"""', "'''"].find((quotes) => value.startsWith(quotes) && !value.slice(3).includes(quotes))

export const toml = (text: string): Lines => {
  const lines = new Map<string, number>()
  /** How many entries a list of tables has so far. */
  const items = new Map<string, number>()
  const enter = (from: string, keys: ReadonlyArray<string>, line: number): string =>
    keys.reduce((path, key) => {
      const list = join(path, key)
      const count = items.get(list)
      const next = count === undefined ? list : join(list, count - 1)
      for (const place of [list, next]) if (!lines.has(place)) lines.set(place, line)
      return next
    }, from)
  let table = ""
  let quotes: string | undefined
  for (const [i, raw] of text.split(/\r\n|\n/).entries()) {
    if (quotes !== undefined) {
      if (raw.includes(quotes)) quotes = undefined
      continue
    }
    const header = tomlTable.exec(raw)
    const entry = header === null ? tomlKey.exec(raw) : null
    const keys = Array.from((header?.[2] ?? entry?.[1] ?? "").matchAll(tomlParts), ([key]) => unquoted(key))
    if (header !== null) {
      if (header[1] === "[[") {
        const list = join(enter("", keys.slice(0, -1), i + 1), keys.at(-1)!)
        items.set(list, (items.get(list) ?? 0) + 1)
      }
      table = enter("", keys, i + 1)
    } else if (entry !== null) {
      enter(table, keys, i + 1)
      quotes = opensText(entry[2]!)
    }
  }
  return lines
}
