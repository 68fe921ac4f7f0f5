/**
 * The documents (`README.md` at the top and below `src`, `bench` and `examples`) cannot rot: their code is executed.
 *
 * - ` ```ts `: type-checked, and run by node; it must end by itself within 10 seconds, with code 0.
 * - ` ```ts check `: only type-checked, for what would run for ever.
 * - ` ```sh `: only looked at by `bash -n`.
 * - ` ```sh run `: run by bash in the project's folder; it must end within a minute, with code 0.
 * - ` ```text output `, right below a block that is run: exactly what it prints.
 *
 * Blocks import `spindle` and its subpaths, as an application would. Links between files must lead somewhere.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "./support/child.ts"
import {
  type Block,
  blocksOf,
  brokenLinks,
  documents,
  fileOf,
  root,
  writeProject
} from "./support/documents.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-docs-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

const env = {
  PATH: [path.join(root, "node_modules/.bin"), process.env["PATH"]].join(path.delimiter),
  NO_COLOR: "1"
}

/** A child's code must be 0, and what it printed what the document shows. */
const expectSuccess = (block: Block, ended: Child.Ended): void => {
  assert.strictEqual(ended.code, 0, `${block.document}:${block.line}\n${ended.stdout}\n${ended.stderr}`)
  if (block.output !== undefined) assert.strictEqual(ended.stdout.trimEnd(), block.output.trimEnd())
}

const runTypeScript = (project: string, block: Block, timeout = 10_000) =>
  Child.run(process.execPath, [fileOf(block)], { cwd: project, env, timeout })

const runShell = (block: Block) =>
  Child.run("bash", ["-euo", "pipefail", "-c", block.code], { cwd: root, env, timeout: 60_000 })

/** What the compiler says about the blocks of a project; nothing, if all is well. */
const typeErrors = (project: string) =>
  Effect.map(
    Child.run(
      process.execPath,
      [path.join(root, "node_modules/typescript/bin/tsc"), "-p", project, "--pretty", "false"],
      {
        cwd: project,
        timeout: 60_000
      }
    ),
    ({ stdout, stderr }) => stdout + stderr
  )

/** What a block's words ask for; an unknown word asks for nothing, and is a mistake. */
const treatment = (block: Block): "run" | "check" | "mistake" => {
  const words = block.words.join(" ")
  if (block.language === "ts") return words === "" ? "run" : words === "check" ? "check" : "mistake"
  return words === "run" ? "run" : words === "" ? "check" : "mistake"
}

const isCode = (block: Block): boolean => ["ts", "typescript", "sh", "bash"].includes(block.language)

const texts = documents().map((document) => ({
  document,
  text: fs.readFileSync(path.join(root, document), "utf8")
}))
const blocks = texts.flatMap(({ document, text }) => blocksOf(document, text)).filter(isCode)
const typescript = blocks.filter((block) => block.language === "ts")
writeProject(folder, typescript)

const testBlock = (block: Block): void => {
  const what = treatment(block)
  const title = `line ${block.line}: ${block.language} ${what}`
  if (block.language === "ts" && what === "run") {
    it.live(title, () => Effect.map(runTypeScript(folder, block), (ended) => expectSuccess(block, ended)))
  } else if (block.language === "sh" && what === "run") {
    it.live(title, () => Effect.map(runShell(block), (ended) => expectSuccess(block, ended)), 70_000)
  } else if (block.language === "sh" && what === "check") {
    it.live(title, () =>
      Effect.map(Child.run("bash", ["-n"], { input: block.code }), (ended) => expectSuccess(block, ended))
    )
  } else if (what === "mistake" || block.language !== "ts") {
    it(title, () => assert.fail(`${block.document}:${block.line}: write \`ts [check]\` or \`sh [run]\``))
  }
}

describe("documents", () => {
  it.live(
    "all TypeScript has its types right",
    () =>
      Effect.map(typescript.length === 0 ? Effect.succeed("") : typeErrors(folder), (errors) =>
        assert.strictEqual(errors, "")
      ),
    70_000
  )

  for (const { document, text } of texts) {
    describe(document, () => {
      it("links to files that are there", () => assert.deepStrictEqual(brokenLinks(document, text), []))
      for (const block of blocks) if (block.document === document) testBlock(block)
    })
  }
})

describe("the checker", () => {
  const markdown = [
    "# Title, [good](package.json#x), [bad](nowhere.md), [far](https://example.org/), `[code](a.md)`",
    "```ts",
    'const a: number = "text"',
    "```",
    "* in a list",
    "  ```ts check",
    "  if (true) {",
    "    setInterval(() => {}, 1000)",
    "  }",
    "  ```",
    "````text",
    "```ts",
    "````",
    "```sh run",
    "echo one",
    "echo two",
    "```",
    "",
    "```text output",
    "one",
    "two",
    "```",
    "```ts",
    'import * as Effect from "effect/Effect"',
    'console.log(await Effect.runPromise(Effect.succeed("text")))',
    "```"
  ].join("\n")
  const [wrong, endless, quoted, shell, output, good] = blocksOf("A.md", markdown) as [
    Block,
    Block,
    Block,
    Block,
    Block,
    Block
  ]

  it("finds blocks, their lines, words and outputs", () => {
    assert.deepStrictEqual(
      [wrong, endless, quoted, shell, output, good].map(({ line, language, words }) => [
        line,
        language,
        ...words
      ]),
      [
        [3, "ts"],
        [7, "ts", "check"],
        [12, "text"],
        [15, "sh", "run"],
        [20, "text", "output"],
        [24, "ts"]
      ]
    )
    assert.strictEqual(endless.code, "if (true) {\n  setInterval(() => {}, 1000)\n}\n")
    assert.strictEqual(shell.output, "one\ntwo\n")
    assert.isUndefined(wrong.output)
  })

  it("sees links that lead nowhere, and words that mean nothing", () => {
    assert.deepStrictEqual(brokenLinks("A.md", markdown), ["nowhere.md"])
    assert.strictEqual(treatment({ ...wrong, words: ["chekc"] }), "mistake")
  })

  const inProject = <A, E>(parts: ReadonlyArray<Block>, use: (project: string) => Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const project = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-docs-"))
        writeProject(project, parts)
        return project
      }),
      use,
      (project) => Effect.sync(() => fs.rmSync(project, { recursive: true }))
    )

  it.live("sees a wrong type, on its line of the document", () =>
    Effect.gen(function* () {
      const errors = yield* inProject([wrong, endless, good], typeErrors)
      assert.match(errors, /^A-3\.ts\(3,7\): error TS2322: [^\n]*\n$/)
    })
  )

  it.live("runs what is right, and sees what does not end", () =>
    Effect.gen(function* () {
      const ended = yield* inProject([good], (project) => runTypeScript(project, good))
      expectSuccess({ ...good, output: "text\n" }, ended)
      assert.throws(() => expectSuccess({ ...good, output: "other\n" }, ended))
      assert.throws(() => expectSuccess(good, { ...ended, code: 1 }))
      const error = yield* Effect.flip(
        inProject([endless], (project) => runTypeScript(project, endless, 500))
      )
      assert.match(error.detail, /still there after 500 ms/)
    })
  )

  it.live("runs shell, and stops at its first failure", () =>
    Effect.gen(function* () {
      expectSuccess(shell, yield* runShell(shell))
      const failed = yield* runShell({ ...shell, code: "false\necho two" })
      assert.deepStrictEqual([failed.code, failed.stdout], [1, ""])
    })
  )
})
