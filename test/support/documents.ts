/** Fenced blocks and links of the project's Markdown, and a folder in which its TypeScript can be checked and run. */
import * as fs from "node:fs"
import * as path from "node:path"

export const root = path.join(import.meta.dirname, "../..")

export interface Block {
  /** The document, relative to the project: `src/reactor/README.md`. */
  readonly document: string
  /** The line of its first line of code. */
  readonly line: number
  readonly language: string
  /** What else the opening fence says. */
  readonly words: ReadonlyArray<string>
  readonly code: string
  /** The text of a `text output` block right below: what it prints. */
  readonly output: string | undefined
}

const isOutput = (block: Block): boolean => block.language === "text" && block.words.join(" ") === "output"

export const blocksOf = (document: string, text: string): ReadonlyArray<Block> => {
  const fence = /^( *)(`{3,})(.*)\n([^]*?)^\1\2 *$/gm
  const found = [...text.matchAll(fence)].map((match) => {
    const [whole, indent = "", , info = "", body = ""] = match
    const [language = "", ...words] = info.trim().split(/\s+/)
    return {
      start: match.index,
      end: match.index + whole.length,
      block: {
        document,
        line: text.slice(0, match.index).split("\n").length + 1,
        language,
        words,
        code: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
        output: undefined
      } satisfies Block
    }
  })
  return found.map(({ block, end }, index): Block => {
    const next = found[index + 1]
    const shown = next !== undefined && isOutput(next.block) && text.slice(end, next.start).trim() === ""
    return shown ? { ...block, output: next.block.code } : block
  })
}

/** Links to files, as written, without what is in code. */
export const fileLinksOf = (text: string): ReadonlyArray<string> => {
  const prose = text.replaceAll(/^( *)(`{3,})[^]*?^\1\2 *$/gm, "").replaceAll(/`[^`\n]*`/g, "")
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => (match[1] ?? "").replace(/#.*$/, ""))
    .filter((link) => link !== "" && !/^[a-z]+:/.test(link))
}

/** Where `document` links to, but nothing is. */
export const brokenLinks = (document: string, text: string): ReadonlyArray<string> =>
  fileLinksOf(text).filter((link) => !fs.existsSync(path.join(root, path.dirname(document), link)))

/** The documents of the project that are there. */
export const documents = (): ReadonlyArray<string> => {
  const below = (folder: string): ReadonlyArray<string> =>
    fs.existsSync(path.join(root, folder))
      ? fs
          .readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
          .map((file) => path.posix.join(folder, file.replaceAll(path.sep, "/")))
          .filter((file) => path.posix.basename(file) === "README.md")
          .sort()
      : []
  const top = ["README.md"].filter((file) => fs.existsSync(path.join(root, file)))
  return [...top, ...below("src"), ...below("bench"), ...below("examples")]
}

/** The file that a block becomes. */
export const fileOf = (block: Block): string =>
  `${block.document.replace(/\.md$/, "").replaceAll("/", "-")}-${block.line}.ts`

/**
 * Fills `folder` so that the blocks run in it as an application would: `spindle` and its subpaths are the sources, by
 * the same `exports`. Code keeps its line in the document.
 */
export const writeProject = (folder: string, blocks: ReadonlyArray<Block>): void => {
  const write = (file: string, content: unknown): void => {
    const text = typeof content === "string" ? content : JSON.stringify(content)
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.writeFileSync(path.join(folder, file), text)
  }
  const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>
  }
  const exports = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === "string"
      ? []
      : [[subpath, target.default.replace("./dist/", "./src/").replace(/\.js$/, ".ts")]]
  )
  write("node_modules/spindle/package.json", {
    name: "spindle",
    type: "module",
    exports: Object.fromEntries(exports)
  })
  fs.symlinkSync(path.join(root, "src"), path.join(folder, "node_modules/spindle/src"))
  for (const name of fs.readdirSync(path.join(root, "node_modules"))) {
    const isPackage = !name.startsWith(".") && name !== "spindle"
    if (isPackage)
      fs.symlinkSync(path.join(root, "node_modules", name), path.join(folder, "node_modules", name))
  }
  write("package.json", { type: "module", private: true })
  write("tsconfig.json", {
    extends: path.join(root, "tsconfig.base.json"),
    compilerOptions: { noEmit: true, noUnusedLocals: false },
    include: ["*.ts"]
  })
  for (const block of blocks) write(fileOf(block), "\n".repeat(block.line - 1) + block.code)
}
