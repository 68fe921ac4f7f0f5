/** Watching real trees: what inotify is known to make hard, and what the system says no to. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { NodeFileWatchFlood } from "../../src/node/NodeFileWatchFlood.ts"
import * as NodeFileWatch from "../../src/node/NodeFileWatch.ts"
import * as FileWatch from "../../src/reactor/FileWatch.ts"
import { applied, type FileChange, type FileSnapshot } from "../../src/reactor/FileWatchChange.ts"
import { eventually, pictured, real, temporary } from "./fileWatchTree.ts"

/** A tree of its own, and whoever follows it: all changes so far, and the state they make. */
const following = Effect.fnUntraced(function* (
  prepare: (at: (...names: ReadonlyArray<string>) => string) => void = () => {},
  options: FileWatch.FileWatchOptions = {}
) {
  const root = path.join(yield* temporary, "root")
  fs.mkdirSync(root)
  const at = (...names: ReadonlyArray<string>) => path.join(root, ...names)
  prepare(at)
  const tree = yield* FileWatch.watch(root, { quietTime: 10, ...options })
  const seen = { changes: [] as Array<FileChange>, state: (yield* tree.snapshot) as FileSnapshot }
  yield* Effect.forkScoped(
    Stream.runForEach(tree.batches, ({ changes }) =>
      Effect.sync(() => {
        seen.changes.push(...changes)
        seen.state = applied(seen.state, changes)
      })
    )
  )
  const told = () =>
    seen.changes.map((change) =>
      change._tag === "Moved" ? `Moved ${change.from} ${change.path}` : `${change._tag} ${change.path}`
    )
  /** Waits until the state is the real tree; gives what was told since the last time. */
  const settled = Effect.gen(function* () {
    yield* eventually(
      () => pictured(seen.state),
      () => real(root)
    )
    const since = told()
    seen.changes = []
    return since
  })
  /** Waits until just this was told. */
  const expected = (...changes: ReadonlyArray<string>) =>
    Effect.andThen(
      eventually(told, () => changes),
      Effect.sync(() => {
        seen.changes = []
      })
    )
  return { root, at, tree, seen, told, settled, expected }
})

const live = (name: string, body: Effect.Effect<void, unknown, FileWatch.FileWatch>, timeout = 120_000) =>
  it.live(name, () => Effect.provide(body, NodeFileWatch.layer), timeout)

/** Until what is there now is old enough to be told from all that comes. */
const aged = Effect.sleep(30)

const onLinux = process.platform === "linux"

/** Watches that this process has open, as Linux counts them. */
const inotifyWatches = (): number => {
  let count = 0
  for (const descriptor of fs.readdirSync("/proc/self/fdinfo")) {
    try {
      const text = fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")
      count += text.split("\n").filter((line) => line.startsWith("inotify ")).length
    } catch {
      // Closed meanwhile.
    }
  }
  return count
}

describe("NodeFileWatch", () => {
  live(
    "tells what is made, written, changed and removed",
    Effect.scoped(
      Effect.gen(function* () {
        const { at, expected } = yield* following()
        fs.writeFileSync(at("a"), "1")
        yield* expected("Created a")
        yield* aged
        fs.appendFileSync(at("a"), "2")
        yield* expected("Modified a")
        fs.chmodSync(at("a"), 0o600)
        yield* expected("AttributesChanged a")
        fs.rmSync(at("a"))
        yield* expected("Removed a")
      })
    )
  )

  live(
    "finds all of a tree that was made at once",
    Effect.scoped(
      Effect.gen(function* () {
        const { at, expected } = yield* following()
        fs.mkdirSync(at("a", "b", "c"), { recursive: true })
        fs.writeFileSync(at("a", "b", "c", "d"), "")
        yield* expected("Created a", "Created a/b", "Created a/b/c", "Created a/b/c/d")
        fs.writeFileSync(at("a", "b", "c", "e"), "")
        yield* expected("Created a/b/c/e")
      })
    )
  )

  live(
    "tells an editor's save as one modification",
    Effect.scoped(
      Effect.gen(function* () {
        const { at, expected, seen } = yield* following((at) => fs.writeFileSync(at("a"), "1"), {
          quietTime: 200
        })
        fs.writeFileSync(at(".a.swp"), "12")
        fs.renameSync(at(".a.swp"), at("a"))
        yield* eventually(
          () => seen.changes.map((change) => change._tag === "Modified" && change.replaced),
          () => [true]
        )
        yield* expected("Modified a")
      })
    )
  )

  live(
    "tells a moved tree as moved, path by path, and follows it",
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* temporary
        fs.mkdirSync(path.join(root, "a", "b"), { recursive: true })
        fs.writeFileSync(path.join(root, "a", "b", "c"), "")
        yield* aged
        const tree = yield* FileWatch.watch(root, { quietTime: 100 })
        fs.renameSync(path.join(root, "a"), path.join(root, "z"))
        const { changes } = yield* tree.next
        // Where a file system knows no time of birth, nobody can be sure.
        const isSure = fs.lstatSync(root, { bigint: true }).birthtimeNs > 0n
        assert.deepStrictEqual(
          changes.map((change) => `${change._tag} ${change.path}`),
          isSure
            ? ["Moved z", "Moved z/b", "Moved z/b/c"]
            : ["Removed a/b/c", "Removed a/b", "Removed a", "Created z", "Created z/b", "Created z/b/c"]
        )
        fs.writeFileSync(path.join(root, "z", "b", "d"), "")
        assert.strictEqual((yield* tree.next).changes[0].path, "z/b/d")
      })
    )
  )

  live(
    "sees trees come from elsewhere, and go there",
    Effect.scoped(
      Effect.gen(function* () {
        const outside = yield* temporary
        fs.mkdirSync(path.join(outside, "a", "b"), { recursive: true })
        fs.writeFileSync(path.join(outside, "a", "b", "c"), "")
        const { at, expected, tree } = yield* following()
        fs.renameSync(path.join(outside, "a"), at("in"))
        yield* expected("Created in", "Created in/b", "Created in/b/c")
        fs.renameSync(at("in"), path.join(outside, "back"))
        yield* expected("Removed in/b/c", "Removed in/b", "Removed in")
        fs.writeFileSync(path.join(outside, "back", "b", "unseen"), "")
        fs.writeFileSync(at("seen"), "")
        yield* expected("Created seen")
        assert.strictEqual((yield* tree.status).watches, 1)
      })
    )
  )

  live(
    "follows a directory and a root that are removed and made again",
    Effect.scoped(
      Effect.gen(function* () {
        const { at, root, settled } = yield* following((at) => fs.mkdirSync(at("a")))
        for (let round = 0; round < 5; round++) {
          fs.rmSync(at("a"), { recursive: true })
          fs.mkdirSync(at("a"))
          fs.writeFileSync(at("a", `f${round}`), "")
          if (round % 2 === 0) yield* settled
        }
        for (let round = 0; round < 5; round++) {
          fs.rmSync(root, { recursive: true })
          if (round % 2 === 0) yield* settled
          fs.mkdirSync(at("a"), { recursive: true })
          yield* settled
          fs.writeFileSync(at("a", "f"), "")
          yield* settled
        }
      })
    )
  )

  live(
    "waits for a root, directory by directory, and watches a file as root",
    Effect.scoped(
      Effect.gen(function* () {
        const top = yield* temporary
        const root = path.join(top, "x", "y", "config.json")
        const tree = yield* FileWatch.watch(root, { awaitRoot: true, quietTime: 10 })
        const next = Effect.map(tree.next, ({ changes }) =>
          changes.map((change) => `${change._tag} ${change.path}`)
        )
        fs.mkdirSync(path.join(top, "x", "y"), { recursive: true })
        const waiting = yield* Effect.forkChild(next, { startImmediately: true })
        yield* Effect.sleep(30)
        fs.writeFileSync(root, "{}")
        assert.deepStrictEqual(yield* Fiber.join(waiting), ["Created "])
        yield* aged
        fs.writeFileSync(root, "{ }")
        assert.deepStrictEqual(yield* next, ["Modified "])
        fs.writeFileSync(`${root}~`, "saved")
        fs.renameSync(`${root}~`, root)
        assert.deepStrictEqual(yield* next, ["Modified "])
        fs.rmSync(path.join(top, "x"), { recursive: true })
        assert.deepStrictEqual(yield* next, ["Removed "])
      })
    )
  )

  describe("links", () => {
    live(
      "are themselves, by default",
      Effect.scoped(
        Effect.gen(function* () {
          const outside = yield* temporary
          const { at, expected, seen } = yield* following()
          fs.symlinkSync(outside, at("link"))
          yield* expected("Created link")
          assert.strictEqual(seen.state.get("link")?.kind, "SymbolicLink")
          fs.writeFileSync(path.join(outside, "f"), "")
          fs.symlinkSync("nowhere", at("dangling"))
          yield* expected("Created dangling")
        })
      )
    )

    live(
      "are followed if asked, but not round and round",
      Effect.scoped(
        Effect.gen(function* () {
          const outside = yield* temporary
          const { expected } = yield* following(
            (at) => {
              fs.symlinkSync(outside, at("link"))
              fs.symlinkSync("..", path.join(outside, "up"))
              fs.symlinkSync(at(), path.join(outside, "round"))
            },
            // Above `outside` is the system's temporary directory: not for us.
            { followSymlinks: true, ignore: (path) => path === "link/up" }
          )
          fs.mkdirSync(path.join(outside, "d"))
          yield* expected("Created link/d")
          fs.writeFileSync(path.join(outside, "d", "f"), "")
          yield* expected("Created link/d/f")
        })
      )
    )
  })

  live(
    "passes over what is ignored, and what is too deep",
    Effect.scoped(
      Effect.gen(function* () {
        const { at, expected, tree } = yield* following(
          (at) => fs.mkdirSync(at("node_modules", "effect"), { recursive: true }),
          { ignore: (name) => name.endsWith("node_modules"), depthMax: 2 }
        )
        fs.writeFileSync(at("node_modules", "effect", "a"), "")
        fs.mkdirSync(at("a", "b", "c"), { recursive: true })
        yield* expected("Created a", "Created a/b")
        fs.writeFileSync(at("a", "b", "unseen"), "")
        fs.writeFileSync(at("a", "seen"), "")
        yield* expected("Created a/seen")
        const { watches } = yield* tree.status
        if (onLinux) assert.strictEqual(watches, 2)
      })
    )
  )

  it.live.skipIf(!onLinux)("closes every watch with its scope", () =>
    Effect.gen(function* () {
      const before = inotifyWatches()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { at, settled } = yield* following((at) => fs.mkdirSync(at("a", "b"), { recursive: true }))
          fs.renameSync(at("a"), at("z"))
          fs.mkdirSync(at("a", "c"), { recursive: true })
          yield* settled
          assert.strictEqual(inotifyWatches(), before + 5)
        })
      )
      assert.strictEqual(inotifyWatches(), before)
    }).pipe(Effect.provide(NodeFileWatch.layer))
  )

  it.live.skipIf(!onLinux)("fails with what the tree has more directories than", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      for (const name of ["a", "b", "c"]) fs.mkdirSync(path.join(root, name))
      const before = inotifyWatches()
      const error = yield* Effect.flip(Effect.scoped(FileWatch.watch(root, { watchesMax: 3 })))
      assert.strictEqual(error.reason._tag, "TooManyWatches")
      assert.strictEqual(inotifyWatches(), before)
    }).pipe(Effect.scoped, Effect.provide(NodeFileWatch.layer))
  )

  it.live("fails for what is not there", () =>
    Effect.gen(function* () {
      const root = path.join(yield* temporary, "missing")
      const error = yield* Effect.flip(FileWatch.watch(root))
      assert.strictEqual(error.reason._tag, "NotFound")
      assert.strictEqual(error.path, root)
    }).pipe(Effect.scoped, Effect.provide(NodeFileWatch.layer))
  )

  // The kernel drops what its queue has no room for, while we are busy elsewhere; libuv does not tell.
  const queued = onLinux ? Number(fs.readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8")) : 0
  it.live.skipIf(queued === 0 || queued > 32_768)(
    "finds what an overflow of the kernel's queue hid",
    () =>
      Effect.gen(function* () {
        const { at, settled, tree } = yield* following((at) => {
          for (const name of ["a", "b"]) fs.mkdirSync(at(name))
        })
        // Renames to and fro fill the queue; what comes last has no room.
        const script = `
          const fs = require("node:fs")
          fs.writeFileSync("a/0", "")
          for (let count = 0; count < ${Math.ceil(queued / 2) + 10}; count++) fs.renameSync("a/" + count, "a/" + (count + 1))
          fs.writeFileSync("b/lost", "")
          fs.mkdirSync("b/lost-too/below", { recursive: true })
        `
        const child = spawnSync(process.execPath, ["-e", script], { cwd: at(), timeout: 30_000 })
        assert.strictEqual(child.status, 0)
        const changes = yield* settled
        assert.include(changes, "Created b/lost")
        assert.include(changes, "Created b/lost-too/below")
        assert.isAbove((yield* tree.status).rescans, 0)
      }).pipe(Effect.scoped, Effect.provide(NodeFileWatch.layer)),
    120_000
  )

  it("a flood is so many in one turn, and over with it", async () => {
    const flood = new NodeFileWatchFlood(3)
    assert.deepStrictEqual(
      [flood.count(), flood.count(), flood.count(), flood.count()],
      [false, false, true, true]
    )
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepStrictEqual([flood.count(), flood.count(), flood.count()], [false, false, true])
    await new Promise((resolve) => setImmediate(resolve))
  })
})
