/** What users make: a project of `spindle new`, and a package with a plugin, installed by npm. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Child from "../../support/child.ts"
import { describePeer, which } from "../../support/peers.ts"
import * as Spindle from "./spindle.ts"
import { exchange } from "./visitors.ts"

const root = path.resolve(import.meta.dirname, "../../..")

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

/** What npm would bring from the registry: Spindle, here from its sources, and what it needs. */
const bringPackages = (project: string): void => {
  const modules = path.join(project, "node_modules")
  fs.mkdirSync(modules, { recursive: true })
  fs.symlinkSync(root, path.join(modules, "spindle"))
  for (const name of ["effect", "@types"]) {
    fs.symlinkSync(path.join(root, "node_modules", name), path.join(modules, name))
  }
}

/** A program in a project, with this Node and the tools of ours. */
const inProject = (place: Spindle.Place, project: string, command: string, ...args: ReadonlyArray<string>) =>
  Effect.map(
    Child.run(command, args, {
      cwd: project,
      timeout: 60_000,
      env: {
        ...place.env,
        PATH: [path.join(root, "node_modules/.bin"), process.env["PATH"]].join(path.delimiter),
        npm_config_local_prefix: project,
        INIT_CWD: project,
        NODE_OPTIONS: "--conditions=source"
      }
    }),
    (ended) => {
      assert.strictEqual(ended.code, 0, `${command} ${args.join(" ")}\n${ended.stdout}\n${ended.stderr}`)
      return ended.stdout
    }
  )

describe("a new project", () => {
  live(
    "passes its own tests and its types, and runs",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const project = place.file("My Project")
      const said = yield* Spindle.says(place, ["new", "My Project"])
      assert.match(said, /^[^\n]*My Project is made\. Now:\n\n {2}cd "My Project"\n {2}npm install\n/)
      const manifest = JSON.parse(place.read("My Project/package.json")) as {
        readonly name: string
        readonly scripts: Readonly<Record<string, string>>
        readonly dependencies: Readonly<Record<string, string>>
      }
      assert.strictEqual(manifest.name, "my-project")
      assert.hasAllKeys(manifest.dependencies, ["effect", "spindle"])
      bringPackages(project)

      const [test, start] = [manifest.scripts["test"]!.split(" "), manifest.scripts["start"]!.split(" ")]
      assert.deepStrictEqual([test, manifest.scripts["check"]], [["node", "--test"], "tsc"])
      const tests = yield* inProject(place, project, process.execPath, ...test.slice(1))
      assert.match(tests, /^. pass [1-9]/m)
      assert.match(tests, /^. fail 0$/m)
      const tsc = path.join(root, "node_modules/typescript/bin/tsc")
      yield* inProject(place, project, process.execPath, tsc, "--customConditions", "source")

      assert.strictEqual(start[0], "spindle")
      const line = [...start.slice(1), "--set", "listen=tcp:0:interface=127.0.0.1"]
      const child = yield* Spindle.start(place, line, { cwd: project })
      const [, port] = yield* child.says(/greeter listening.*127\.0\.0\.1:(\d+)/)
      yield* child.says(/my-project is ready/)
      assert.strictEqual(yield* exchange(Number(port), "Ada\r\n"), "Hello, Ada!\r\n")
      yield* Spindle.says(place, ["stop"], { cwd: project })
      assert.match(
        yield* Spindle.fails(place, ["new", "My Project"], 73),
        /My Project is not empty: it has \.gitignore, /
      )
      assert.match(
        yield* Spindle.fails(place, ["new", Spindle.fixture("visits")], 73),
        /visits\.ts cannot be made: there is a file of that name$/
      )
    })
  )
})

describePeer({ name: "npm", debian: "npm", path: which("npm") }, (npm) => {
  live(
    "a package with a plugin is a command where it is installed",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("package.json", JSON.stringify({ name: "consumer", version: "1.0.0", private: true }))
      const options = ["--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", "--install-links"]
      const example = path.join(root, "examples/plugin-package")
      yield* inProject(place, place.directory, npm, "install", ...options, example)
      bringPackages(place.directory)

      const [list, help] = yield* Effect.forEach(
        [["plugins", "service"], ["--help"]],
        (args) => Spindle.says(place, args),
        { concurrency: 2 }
      )
      assert.match(list!, /^service +nameday +spindle-nameday 1\.0\.0 +Tells whose name day it is/m)
      assert.match(help!, /^ {2}nameday +Tells whose name day it is/m)
      const line = ["nameday", "--listen", "tcp:0:interface=127.0.0.1", "--calendar", "days"]
      assert.match(
        yield* Spindle.fails(place, line, 64),
        /^--calendar: .*days.* \(see spindle nameday --help\)$/
      )

      place.write("days", "02-29 Leap, Oswald\n")
      const child = yield* Spindle.start(place, line)
      const [, port] = yield* child.says(/nameday listening.*127\.0\.0\.1:(\d+)/)
      yield* child.says(/nameday is ready/)
      assert.match(yield* exchange(Number(port), "02-29\nOswald\n"), /^Leap, Oswald\r?\n02-29\r?\n$/)
      assert.match(yield* Spindle.says(place, ["status"]), /^nameday: running[^\n]*\n {2}nameday +running/)
      yield* child.signal("SIGTERM")
      assert.deepInclude(yield* child.ended, { signal: "SIGTERM", stderr: "" })
    })
  )
})
