/**
 * What is published works: the package is built and packed from a copy of the sources, installed from its tarball into
 * an empty project, and used there, by Node, by the compiler and from the shell.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import * as Child from "./support/child.ts"

const root = path.join(import.meta.dirname, "..")
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-pack-"))
const copy = path.join(folder, "copy")
const project = path.join(folder, "project")
const installed = path.join(project, "node_modules/spindle")
afterAll(() => fs.rmSync(folder, { recursive: true }))

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as Manifest
const modules = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [{ name: path.posix.join("spindle", subpath), target }]
)

/** Runs a program that must end with code 0. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string, options?: Child.Options) =>
  Effect.map(Child.run(command, args, { cwd, timeout: 60_000, ...options }), (ended) => {
    assert.strictEqual(ended.code, 0, `${command} ${args.join(" ")}\n${ended.stdout}\n${ended.stderr}`)
    return ended
  })

const node = (program: string, options?: Child.Options) =>
  run(process.execPath, ["--input-type=module", "--eval", program], project, options)

const tsc = (...args: ReadonlyArray<string>) =>
  run(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc"), ...args], project)

/** npm, with the tools of the project first and without a network. */
const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  run("npm", [...args, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], cwd, {
    env: {
      PATH: [path.join(root, "node_modules/.bin"), process.env["PATH"]].join(path.delimiter),
      // Of the npm that may run these tests: it would act on that one's project.
      npm_config_local_prefix: cwd,
      INIT_CWD: cwd
    }
  })

/** Packs a copy of the package, so that its `dist` is made of what is there now, and installs it. */
const install = Effect.gen(function* () {
  fs.mkdirSync(project)
  fs.mkdirSync(copy)
  for (const file of fs.readdirSync(root)) {
    const isPublished = /^(src|package\.json|README.*|LICENSE|tsconfig.*\.json)$/.test(file)
    if (isPublished) fs.cpSync(path.join(root, file), path.join(copy, file), { recursive: true })
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"))
  yield* npm(copy, "pack", "--pack-destination", folder)

  fs.writeFileSync(
    path.join(project, "package.json"),
    `{ "name": "consumer", "private": true, "type": "module" }`
  )
  const tarball = path.join(folder, `spindle-${manifest.version}.tgz`)
  yield* npm(project, "install", "--legacy-peer-deps", tarball)
  // What npm would bring from the registry: the peer dependency, and the consumer's own types of Node.
  fs.symlinkSync(path.join(root, "node_modules/effect"), path.join(project, "node_modules/effect"))
  fs.symlinkSync(path.join(root, "node_modules/@types"), path.join(project, "node_modules/@types"))
})

/** The names that an `index.ts` of the sources gives away, apart from types. */
const namesOf = (index: string): ReadonlyArray<string> => {
  const text = fs.readFileSync(index, "utf8")
  const spaces = [...text.matchAll(/^export \* as (\w+) from /gm)].map((match) => match[1] ?? "")
  const lists = [...text.matchAll(/^export \{([^}]*)\} from /gm)].flatMap((match) =>
    (match[1] ?? "").split(",")
  )
  const listed = lists
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => name.replace(/^.* as /, ""))
  const passedOn = [...text.matchAll(/^export \* from "(.*)"/gm)].flatMap((match) =>
    namesOf(path.join(path.dirname(index), match[1] ?? ""))
  )
  return [...spaces, ...listed, ...passedOn].sort()
}

/** The source of a built file. */
const sourceOf = (built: string): string =>
  path.join(root, built.replace("./dist/", "src/").replace(/\.js$/, ".ts"))

const filesBelow = (top: string): ReadonlyArray<string> =>
  fs.readdirSync(top, { recursive: true, encoding: "utf8" }).map((file) => path.join(top, file))

describe("the package", () => {
  it.live("is packed from a clean build, and installs from its tarball", () => install, 120_000)

  it("carries its sources, types and maps, and nothing of the project", () => {
    const top = fs.readdirSync(installed)
    assert.includeMembers(top, ["LICENSE", "README.md", "dist", "package.json", "src"])
    assert.notIncludeMembers(top, ["test", "node_modules", "examples", "bench"])
    const built = filesBelow(path.join(installed, "dist"))
    const maps = built.filter((file) => file.endsWith(".map"))
    assert.isAbove(maps.length, 0)
    for (const map of maps) {
      const { sources } = JSON.parse(fs.readFileSync(map, "utf8")) as {
        readonly sources: ReadonlyArray<string>
      }
      for (const source of sources)
        assert.isTrue(fs.existsSync(path.join(path.dirname(map), source)), `${map}: ${source}`)
    }
    const scripts = built.filter((file) => file.endsWith(".js"))
    for (const script of scripts) {
      assert.includeMembers([...built], [script.replace(/\.js$/, ".d.ts"), `${script}.map`])
    }
  })

  it.effect("satisfies publint", () =>
    Effect.gen(function* () {
      const { messages, pkg } = yield* Effect.promise(() =>
        publint({ pkgDir: installed, pack: false, strict: true })
      )
      assert.deepStrictEqual(
        messages.map((message) => formatMessage(message, pkg, { color: false })),
        []
      )
    })
  )

  for (const { name, target } of modules) {
    it.live(`${name} is imported, with all its names`, () =>
      Effect.gen(function* () {
        const { stdout } = yield* node(
          `console.log(JSON.stringify(Object.keys(await import("${name}")).sort()))`
        )
        const names = namesOf(sourceOf(target.default))
        assert.isNotEmpty(names)
        assert.deepStrictEqual(JSON.parse(stdout), names)
      })
    )
  }

  it.live(
    "has types that a consumer's compiler accepts, strictly and without skipping libraries",
    () =>
      Effect.gen(function* () {
        const uses = modules.map(({ name }, index) => `import * as m${index} from "${name}"`)
        const all = modules.map((_, index) => `m${index}`).join(", ")
        const misuse = `// @ts-expect-error -- types arrived, not any\nvoid m0.thereIsNoSuchName`
        fs.writeFileSync(
          path.join(project, "use.ts"),
          [...uses, `console.log([${all}].length)`, misuse].join("\n")
        )
        const tsconfig = {
          compilerOptions: {
            target: "ES2024",
            lib: ["ES2024", "ESNext.Disposable", "DOM"],
            module: "NodeNext",
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: false,
            types: ["node"],
            outDir: "out"
          },
          include: ["use.ts"]
        }
        fs.writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify(tsconfig))
        yield* tsc("-p", project)
        const { stdout } = yield* run(process.execPath, ["out/use.js"], project)
        assert.strictEqual(stdout.trim(), String(modules.length))
      }),
    60_000
  )

  it.live("brings the spindle command", () =>
    Effect.gen(function* () {
      const command = path.join(project, "node_modules/.bin/spindle")
      const env = { PATH: [path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter) }
      assert.strictEqual(
        (yield* run(command, ["--version"], project, { env })).stdout,
        `spindle ${manifest.version}\n`
      )
      assert.match((yield* run(command, ["--help"], project, { env })).stdout, /^USAGE\n {2}spindle /m)
      const wrong = yield* Child.run(command, ["no-such-command"], { cwd: project, env })
      assert.deepStrictEqual([wrong.code, wrong.stdout], [64, ""])
      assert.match(wrong.stderr, /no-such-command/)
    })
  )
})
