/** The library's sources as the architecture rules see them: parsed files, their imports, and what else lies there. */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseAst } from "vitest/node"

/** A node of the syntax tree (ESTree with TypeScript's additions), as far as the rules care. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

export interface Import {
  /** As written: `./Turn.ts`, `effect/Effect`, `node:net`. */
  readonly specifier: string
  /** For a relative one: the file it means, relative to the root, `reactor/Turn.ts`. */
  readonly target: string | undefined
  /** Erased before it runs. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly imports: ReadonlyArray<Import>
}

export interface SourceTree {
  readonly sources: ReadonlyArray<SourceFile>
  /** Every file, also those that are not sources. */
  readonly paths: ReadonlySet<string>
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string"

/** Visits `node` and everything below it, with its parent and the parent's property it hangs on. */
export const walk = (
  node: Node,
  visit: (node: Node, parent: Node | undefined, key: string) => void,
  parent?: Node,
  key = ""
): void => {
  visit(node, parent, key)
  for (const [name, value] of Object.entries(node)) {
    if (isNode(value)) walk(value, visit, node, name)
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) walk(item, visit, node, name)
  }
}

export const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

const literal = (node: unknown): string | undefined =>
  isNode(node) && typeof node["value"] === "string" ? node["value"] : undefined

/** A declaration that is erased: `import type`, or one whose every name is marked `type`. */
const isTypeOnly = (node: Node): boolean => {
  if (node.type === "TSImportType") return true
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true
  const names = node["specifiers"]
  return (
    Array.isArray(names) &&
    names.length > 0 &&
    names.every((name: Node) => name["importKind"] === "type" || name["exportKind"] === "type")
  )
}

const importing = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType"
])

const importsOf = (file: string, text: string, program: Node): ReadonlyArray<Import> => {
  const imports: Array<Import> = []
  walk(program, (node) => {
    const specifier = importing.has(node.type) ? literal(node["source"]) : undefined
    if (specifier === undefined) return
    imports.push({
      specifier,
      target: specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file), specifier) : undefined,
      typeOnly: isTypeOnly(node),
      line: lineOf(text, node.start)
    })
  })
  return imports
}

/** A tree out of nothing but texts, by path; what does not end in `.ts` is only known to be there. */
export const fromTexts = (texts: Readonly<Record<string, string>>): SourceTree => {
  const sources = Object.entries(texts).flatMap(([file, text]): ReadonlyArray<SourceFile> => {
    if (!file.endsWith(".ts")) return []
    const program = parseAst(text, { lang: "ts" }) as unknown as Node
    return [{ path: file, text, program, imports: importsOf(file, text, program) }]
  })
  return { sources, paths: new Set(Object.keys(texts)) }
}

/** All files below `root`. */
export const read = (root: string): SourceTree => {
  const files = fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
  return fromTexts(
    Object.fromEntries(
      files.map((file) => [
        path.relative(root, file).replaceAll(path.sep, "/"),
        file.endsWith(".ts") ? fs.readFileSync(file, "utf8") : ""
      ])
    )
  )
}
