/** `examples/plugin-package` is a package like any other: its own tests and types hold, and it works where npm installs it. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { root, writeProject } from "../support/documents.ts"
import * as Tree from "./tree.ts"

const example = path.join(root, "examples/plugin-package")
const hasNpm = process.env["PATH"]!.split(path.delimiter).some((folder) =>
  fs.existsSync(path.join(folder, "npm"))
)

/** With the project's own Node first, and nothing of the npm that may run these tests. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.map(
    Child.run(command, args, {
      cwd,
      timeout: 60_000,
      env: {
        PATH: [path.join(root, "node_modules/.bin"), process.env["PATH"]].join(path.delimiter),
        npm_config_local_prefix: cwd,
        INIT_CWD: cwd,
        NO_COLOR: "1"
      }
    }),
    (ended) => {
      assert.strictEqual(ended.code, 0, `${command} ${args.join(" ")}\n${ended.stdout}\n${ended.stderr}`)
      return ended.stdout
    }
  )

/** What npm would bring from the registry: Spindle, here from the sources, and Effect. */
const bringPeers = (project: string) =>
  Effect.gen(function* () {
    const stage = yield* Tree.make({})
    writeProject(stage, [])
    for (const name of fs.readdirSync(path.join(stage, "node_modules"))) {
      const target = path.join(project, "node_modules", name)
      if (!fs.existsSync(target)) {
        fs.cpSync(path.join(stage, "node_modules", name), target, { recursive: true, verbatimSymlinks: true })
      }
    }
  })

/** Asks what package.json says, then loads both plugins, and speaks with a server of each. */
const program = `
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ServiceMaker } from "spindle/app"
import { Lines } from "spindle/framing"
import { MemoryReactor } from "spindle/memory"
import { NodePluginFiles } from "spindle/node"
import { Plugin, PluginSource, Registry, SniffPlugin } from "spindle/plugin"
import { Client, Server, Sniff } from "spindle/protocol"
import { Endpoint } from "spindle/reactor"

const registry = Registry.layer({ directory: import.meta.dirname }).pipe(
  Layer.provide(PluginSource.layer(NodePluginFiles.files))
)
const report = await Effect.gen(function* () {
  const listed = (yield* Plugin.list).map(({ kind, name, package: { directory, name: owner, origin, version } }) =>
    [kind, name, owner, version, origin, directory].join(" "))
  const problems = (yield* Plugin.problems).map(({ message }) => message)
  const maker = yield* Plugin.load(ServiceMaker.kind, "nameday")
  const branch = yield* Plugin.load(SniffPlugin.kind, "nameday")
  yield* Server.make(Endpoint.tcp({ port: 7066 }), Sniff.over([branch]))
  const lines = Lines.make(yield* Client.connect(Endpoint.tcpClient({ host: "localhost", port: 7066 })), { anyNewline: true })
  yield* lines.send("NAMEDAY 12-13")
  return { listed, problems, flags: Object.keys(maker.flags), answer: yield* lines.receive }
}).pipe(Effect.scoped, Effect.provide([registry, MemoryReactor.layer()]), Effect.runPromise)
console.log(JSON.stringify(report))
`

describe("examples/plugin-package", () => {
  it.live.skipIf(!hasNpm)(
    "passes its own tests, and its types are right",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* Tree.make({})
          fs.cpSync(example, folder, {
            recursive: true,
            filter: (file) => path.basename(file) !== "node_modules"
          })
          yield* bringPeers(folder)
          const told = yield* run("npm", ["test", "--silent"], folder)
          assert.match(told, /^. tests [1-9]/m)
          assert.match(told, /^. fail 0$/m)
          Tree.write(folder, {
            "tsconfig.json": {
              extends: path.join(root, "tsconfig.base.json"),
              compilerOptions: { allowJs: true, checkJs: true, noEmit: true },
              include: ["src", "test"]
            }
          })
          const tsc = path.join(root, "node_modules/typescript/bin/tsc")
          const { stdout } = yield* Child.run(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
            cwd: folder,
            timeout: 60_000
          })
          // The sources of Spindle, which it sees too, have their own check.
          const own = stdout.split("\n").filter((line) => /^(src|test)\//.test(line))
          assert.deepStrictEqual(own, [])
        })
      ),
    120_000
  )

  it.live.skipIf(!hasNpm)(
    "is found, listed and used where npm has installed it",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* Tree.make({
            "package.json": { name: "consumer", version: "1.0.0", private: true, type: "module" },
            "use.js": program
          })
          yield* run(
            "npm",
            [
              "install",
              "--offline",
              "--no-audit",
              "--no-fund",
              "--legacy-peer-deps",
              "--install-links",
              example
            ],
            folder
          )
          const installed = path.join(folder, "node_modules/spindle-nameday")
          assert.isFalse(fs.lstatSync(installed).isSymbolicLink())
          assert.deepStrictEqual(fs.readdirSync(installed).toSorted(), ["README.md", "package.json", "src"])
          yield* bringPeers(folder)
          // Above that, the server may have logged that it listens.
          const report = (yield* run(process.execPath, ["use.js"], folder)).trim().split("\n").at(-1)!
          assert.deepStrictEqual(JSON.parse(report), {
            listed: [
              `service nameday spindle-nameday 1.0.0 installed ${installed}`,
              `protocol nameday spindle-nameday 1.0.0 installed ${installed}`
            ],
            problems: [],
            flags: ["listen", "calendar"],
            answer: "Lucy"
          })
        })
      ),
    120_000
  )
})
