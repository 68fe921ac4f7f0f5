import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as World from "../../src/sim/World.ts"
import { valueOf } from "./runs.ts"

const run = <A, E>(program: Effect.Effect<A, E, World.World | World.Provided>, options = {}) =>
  valueOf(World.run(program, { seed: 1, ...options }))

const reasonTag = (error: { readonly reason: { readonly _tag: string; readonly message: string } }) =>
  error.reason._tag

describe("the simulated disk", () => {
  it("holds files and directories", () => {
    const program = Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      yield* fs.makeDirectory("/data/deep", { recursive: true })
      yield* fs.writeFileString(path.join("/data", "deep", "a"), "one")
      yield* fs.writeFileString("/data/deep/a", "two", { flag: "a" })
      yield* fs.rename("/data/deep/a", "/data/b")
      yield* fs.copy("/data", "/copy")
      const text = yield* fs.readFileString("/copy/b")
      const { size, type } = yield* fs.stat("/data/b")
      yield* fs.remove("/data/deep")
      const left = yield* fs.readDirectory("/", { recursive: true })
      return {
        text,
        size: Number(size),
        type,
        left: left.toSorted(),
        exists: yield* fs.exists("/data/deep/a")
      }
    })
    assert.deepStrictEqual(run(program), {
      text: "onetwo",
      size: 6,
      type: "File",
      left: ["copy", "copy/b", "copy/deep", "data", "data/b", "tmp"],
      exists: false
    })
  })

  it("refuses as a kernel does", () => {
    const program = Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory("/d")
      yield* fs.writeFileString("/d/f", "")
      const failures = [
        fs.readFile("/nothing"),
        fs.readFile("/d"),
        fs.readDirectory("/d/f"),
        fs.writeFileString("/d/f", "", { flag: "wx" }),
        fs.makeDirectory("/d"),
        fs.remove("/d"),
        fs.remove("/nothing")
      ]
      return (yield* Effect.all(failures.map((effect) => Effect.flip(effect as (typeof failures)[1])))).map(
        reasonTag
      )
    })
    assert.deepStrictEqual(run(program), [
      "NotFound",
      "BadResource",
      "BadResource",
      "AlreadyExists",
      "AlreadyExists",
      "Unknown",
      "NotFound"
    ])
  })

  it("reads and writes from a place on", () => {
    const program = Effect.scoped(
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = yield* fs.open("/f", { flag: "w+" })
        const write = (words: string) => file.writeAll(new TextEncoder().encode(words))
        yield* write("0123456789")
        yield* file.seek(2n, "start")
        yield* write("xx")
        yield* file.truncate(8)
        yield* file.seek(0n, "start")
        const all = yield* file.readAlloc(100)
        const end = yield* file.readAlloc(100)
        return [new TextDecoder().decode(all._tag === "Some" ? all.value : undefined), end._tag]
      })
    )
    assert.deepStrictEqual(run(program), ["01xx4567", "None"])
  })

  /** What a database leaves: a log it has synced, more that it has not, and a rename. */
  const crashing = (disk: "keep" | "lose" | "tear", seed = 1) =>
    run(
      Effect.gen(function* () {
        const host = yield* World.host(
          "db",
          Effect.scoped(
            Effect.gen(function* () {
              const fs = yield* FileSystem.FileSystem
              if (yield* fs.exists("/log")) return yield* Effect.never
              const file = yield* fs.open("/log", { flag: "a" })
              yield* file.writeAll(new TextEncoder().encode("safe "))
              yield* file.sync
              for (let i = 0; i < 3; i++) yield* file.writeAll(new TextEncoder().encode(`lost${i} `))
              yield* fs.writeFileString("/other", "never synced")
              return yield* Effect.never
            })
          )
        )
        yield* Effect.sleep("1 second")
        yield* host.crash(disk)
        yield* host.start
        return yield* World.at(
          "db",
          Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem
            const other = (yield* fs.exists("/other")) ? yield* fs.readFileString("/other") : "gone"
            return `${yield* fs.readFileString("/log")}| ${other}`
          })
        )
      }),
      { seed }
    )

  it("keeps, loses or tears what was not synced in a crash", () => {
    assert.strictEqual(crashing("keep"), "safe lost0 lost1 lost2 | never synced")
    assert.strictEqual(crashing("lose"), "safe | gone")
    const torn = new Set(Array.from({ length: 40 }, (_, seed) => crashing("tear", seed)))
    assert.isAbove(torn.size, 8)
    for (const left of torn) {
      assert.isTrue("safe lost0 lost1 lost2 ".startsWith(left.split("|")[0]!), left)
    }
  })

  it("is full, and fails", () => {
    const program = Effect.gen(function* () {
      const { network } = yield* World.World
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString("/f", "x".repeat(90))
      const full = yield* Effect.flip(fs.writeFileString("/g", "x".repeat(20)))
      network.node("world").diskOptions.add({ writeErrors: 1, readErrors: 0.5 })
      const failing = yield* Effect.flip(fs.writeFileString("/f", ""))
      let failures = 0
      for (let i = 0; i < 100; i++) {
        failures += Exit.isFailure(yield* Effect.exit(fs.readFile("/f"))) ? 1 : 0
      }
      return { full: full.reason.message, failing: failing.reason.message, failures }
    })
    const { failing, failures, full } = run(program, { disk: { bytesMax: 100 } })
    assert.match(full, /ENOSPC/)
    assert.match(failing, /EIO/)
    assert.isTrue(failures > 25 && failures < 75, `${failures}`)
  })
})
