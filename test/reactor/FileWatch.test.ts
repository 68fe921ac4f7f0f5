/** Watching by looking, on a file system that does what the test says, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as FileWatch from "../../src/reactor/FileWatch.ts"
import type { FileBatch } from "../../src/reactor/FileWatchChange.ts"
import { fakeFileSystem } from "./fakeFileSystem.ts"
import { directory, file } from "./fileWatchEntries.ts"

const told = ({ changes }: FileBatch): ReadonlyArray<string> =>
  changes.map((change) => `${change._tag} ${change.path}`)

/** A file system with `/w` and what is named, and a watch of `/w`. */
const watching = Effect.fnUntraced(function* (
  options: FileWatch.FileWatchOptions = {},
  names: ReadonlyArray<string> = []
) {
  const system = fakeFileSystem()
  system.entries.set("/", directory(1))
  system.entries.set("/w", directory(2))
  for (const [index, name] of names.entries()) {
    const number = 100 + index
    system.entries.set(`/w/${name.replace(/\/$/, "")}`, name.endsWith("/") ? directory(number) : file(number))
  }
  const tree = yield* FileWatch.make(system.platform).watch("/w", options)
  return { system, tree }
})

/** What comes when time goes on; nothing, if nothing does. */
const after = Effect.fnUntraced(function* (tree: FileWatch.WatchedTree, millis: number) {
  const fiber = yield* Effect.forkChild(tree.next, { startImmediately: true })
  yield* TestClock.adjust(millis)
  const exit = fiber.pollUnsafe()
  if (exit === undefined) {
    yield* Fiber.interrupt(fiber)
    return undefined
  }
  return told(yield* exit)
})

describe("FileWatch", () => {
  describe("batches", () => {
    it.effect("come when it was quiet", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ quietTime: 100 })
        system.put("/w/a", file(3))
        assert.strictEqual(yield* after(tree, 99), undefined)
        system.put("/w/b", file(4))
        assert.strictEqual(yield* after(tree, 99), undefined)
        assert.deepStrictEqual(yield* after(tree, 1), ["Created a", "Created b"])
        assert.strictEqual(yield* after(tree, 10_000), undefined)
      })
    )

    it.effect("come in the end, though it is never quiet", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ quietTime: 100, delayMax: 250 }, ["a"])
        const fiber = yield* Effect.forkChild(tree.next, { startImmediately: true })
        for (let count = 0; count < 5; count++) {
          assert.strictEqual(fiber.pollUnsafe(), undefined)
          system.put("/w/a", file(100, { sizeBytes: count }))
          yield* TestClock.adjust(50)
        }
        assert.deepStrictEqual(told(yield* Fiber.join(fiber)), ["Modified a"])
      })
    )

    it.effect("wait in the file system for who does not ask", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ quietTime: 100 })
        system.put("/w/a", file(3))
        system.put("/w/b", file(4))
        yield* TestClock.adjust(5000)
        system.remove("/w/a")
        assert.deepStrictEqual([...(yield* tree.snapshot).keys()], [""])
        assert.deepStrictEqual(yield* after(tree, 100), ["Created b"])
        assert.deepStrictEqual([...(yield* tree.snapshot).keys()], ["", "b"])
      })
    )

    it.effect("tell what is there already, if asked", () =>
      Effect.gen(function* () {
        const { tree } = yield* watching({ tellExisting: true }, ["a/", "a/b"])
        assert.deepStrictEqual(yield* after(tree, 0), ["Created ", "Created a", "Created a/b"])
      })
    )

    it.effect("go to one of those who ask", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching()
        const both = [yield* Effect.forkChild(tree.next), yield* Effect.forkChild(tree.next)]
        yield* TestClock.adjust(0)
        system.put("/w/a", file(3))
        yield* TestClock.adjust(1000)
        system.put("/w/b", file(4))
        yield* TestClock.adjust(1000)
        const batches = yield* Effect.forEach(both, Fiber.join)
        assert.deepStrictEqual(batches.map(told), [["Created a"], ["Created b"]])
      })
    )

    it.effect("are a stream, and their changes another", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching()
        const batches = yield* Effect.forkChild(Stream.runCollect(Stream.take(tree.batches, 2)), {
          startImmediately: true
        })
        system.put("/w/a", file(3))
        yield* TestClock.adjust(1000)
        system.put("/w/b", file(4))
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual((yield* Fiber.join(batches)).map(told), [["Created a"], ["Created b"]])
        system.put("/w/c", directory(5))
        system.put("/w/d", directory(6))
        const changes = yield* Effect.forkChild(Stream.runCollect(Stream.take(tree.changes, 2)), {
          startImmediately: true
        })
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(
          (yield* Fiber.join(changes)).map(({ path }) => path),
          ["c", "d"]
        )
      })
    )
  })

  describe("interruption", () => {
    it.effect("loses nothing, wherever it comes", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ quietTime: 100 })
        system.put("/w/a", directory(3))
        system.put("/w/a/b", file(4))
        // Before it is due, while it looks, and while it reads.
        assert.strictEqual(yield* after(tree, 50), undefined)
        system.state.slow = Deferred.makeUnsafe()
        assert.strictEqual(yield* after(tree, 1000), undefined)
        const fiber = yield* Effect.forkChild(tree.next, { startImmediately: true })
        const looking = system.state.slow
        system.state.slow = Deferred.makeUnsafe()
        yield* Deferred.succeed(looking, undefined)
        yield* TestClock.adjust(1000)
        yield* Fiber.interrupt(fiber)
        system.state.slow = undefined
        assert.deepStrictEqual([...(yield* tree.snapshot).keys()], [""])
        assert.deepStrictEqual(yield* after(tree, 0), ["Created a", "Created a/b"])
      })
    )

    it.effect("the scope's end closes all watches, and ends those who wait", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem()
        system.entries.set("/", directory(1))
        system.entries.set("/w", directory(2))
        system.entries.set("/w/a", directory(3))
        const [fiber, tree] = yield* Effect.scoped(
          Effect.gen(function* () {
            const tree = yield* FileWatch.make(system.platform).watch("/w")
            assert.deepStrictEqual(system.watched(), ["/w", "/w/a"])
            return [yield* Effect.forkDetach(tree.next, { startImmediately: true }), tree] as const
          })
        )
        assert.deepStrictEqual(system.watched(), [])
        for (const error of [yield* Effect.flip(Fiber.join(fiber)), yield* Effect.flip(tree.next)]) {
          assert.strictEqual(error.reason._tag, "Closed")
        }
      })
    )

    it.effect("a watch that fails to begin leaves no watch", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem()
        system.entries.set("/", directory(1))
        system.entries.set("/w", directory(2))
        system.entries.set("/w/a", directory(3))
        system.state.refusing.set("/w/a", "ENOSPC")
        const exit = yield* Effect.exit(Effect.scoped(FileWatch.make(system.platform).watch("/w")))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
        assert.deepStrictEqual(system.watched(), [])
      })
    )
  })

  describe("directories", () => {
    it.effect("that appear are watched, with what was made in them before", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching()
        system.put("/w/a", directory(3))
        system.put("/w/a/b", directory(4))
        system.put("/w/a/b/c", file(5))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a", "Created a/b", "Created a/b/c"])
        assert.deepStrictEqual(system.watched(), ["/w", "/w/a", "/w/a/b"])
        system.put("/w/a/b/d", file(6))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a/b/d"])
      })
    )

    it.effect("that took another's place get watches of their own, all the way down", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, ["a/", "a/b/"])
        const { opened } = system.state
        system.put("/w/a", directory(3))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Modified a"])
        assert.strictEqual(system.state.opened, opened + 2)
        assert.deepStrictEqual(system.watched(), ["/w", "/w/a", "/w/a/b"])
      })
    )

    it.effect("that go lose their watches", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, ["a/", "a/b/"])
        system.remove("/w/a")
        assert.deepStrictEqual(yield* after(tree, 1000), ["Removed a/b", "Removed a"])
        assert.deepStrictEqual(system.watched(), ["/w"])
      })
    )

    it.effect("share one watch where that sees everything below", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem(true)
        system.entries.set("/", directory(1))
        system.entries.set("/w", directory(2))
        const tree = yield* FileWatch.make(system.platform).watch("/w", {
          ignore: (path) => path === "ignored"
        })
        system.put("/w/ignored", directory(3))
        // Without a hint of the directories above.
        system.entries.set("/w/a", directory(4))
        system.entries.set("/w/a/b", directory(5))
        system.put("/w/a/b/c", file(6))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a", "Created a/b", "Created a/b/c"])
        system.put("/w/ignored/x", file(7))
        assert.strictEqual(yield* after(tree, 1000), undefined)
        system.put("/w/a/b/c", file(6, { sizeBytes: 2 }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Modified a/b/c"])
        assert.deepStrictEqual(system.watched(), ["/w"])
      })
    )

    it.effect("that may not be read count as empty, until something happens to them", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, [])
        system.state.refusing.set("/w/a/", "EACCES")
        system.put("/w/a", directory(3))
        system.put("/w/a/b", file(4))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a"])
        assert.strictEqual((yield* tree.status).unseen.get("a")?.reason._tag, "AccessDenied")
        system.state.refusing.clear()
        system.put("/w/a", directory(3, { mode: 0o777 }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a/b", "AttributesChanged a"])
        assert.strictEqual((yield* tree.status).unseen.size, 0)
      })
    )
  })

  describe("the root", () => {
    it.effect("must be there", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem()
        system.entries.set("/", directory(1))
        const error = yield* Effect.flip(FileWatch.make(system.platform).watch("/w"))
        assert.strictEqual(error.reason._tag, "NotFound")
        assert.strictEqual(error.message, "cannot watch /w: there is no such file or directory")
      })
    )

    it.effect("or is waited for, with the directories above", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem()
        system.entries.set("/", directory(1))
        const tree = yield* FileWatch.make(system.platform).watch("/x/y/w", { awaitRoot: true })
        assert.deepStrictEqual(system.watched(), ["/"])
        system.put("/x", directory(2))
        assert.strictEqual(yield* after(tree, 1000), undefined)
        assert.deepStrictEqual(system.watched(), ["/x"])
        system.put("/x/other", directory(3))
        system.put("/x/y", directory(4))
        system.put("/x/y/w", directory(5))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created "])
        assert.deepStrictEqual(system.watched(), ["/x/y/w"])
        system.remove("/x")
        assert.strictEqual(yield* after(tree, 1000), undefined)
      })
    )
  })

  describe("what is seen", () => {
    it.effect("is not what is ignored, nor below it", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const ignore: FileWatch.FileWatchOptions["ignore"] = (path, { kind }) => {
          seen.push(path)
          return path.endsWith("~") || (kind === "Directory" && path === "a")
        }
        const { system, tree } = yield* watching({ ignore }, ["a/", "a/b", "b/", "b/c", "b/c~"])
        assert.deepStrictEqual([...(yield* tree.snapshot).keys()], ["", "b", "b/c"])
        assert.deepStrictEqual(system.watched(), ["/w", "/w/b"])
        assert.deepStrictEqual(seen, ["a", "b", "b/c", "b/c~"])
        system.put("/w/x~", file(3))
        assert.strictEqual(yield* after(tree, 1000), undefined)
      })
    )

    it.effect("is not what is too deep", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ depthMax: 2 }, ["a/", "a/b/", "a/b/c"])
        assert.deepStrictEqual([...(yield* tree.snapshot).keys()], ["", "a", "a/b"])
        assert.deepStrictEqual(system.watched(), ["/w", "/w/a"])
      })
    )
  })

  describe("limits", () => {
    it.effect("fail once, and leave the rest", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ watchesMax: 2 })
        system.put("/w/a", directory(3))
        system.put("/w/b", directory(4))
        system.put("/w/c", directory(5))
        const fiber = yield* Effect.forkChild(Effect.flip(tree.next), { startImmediately: true })
        yield* TestClock.adjust(1000)
        const { reason } = yield* Fiber.join(fiber)
        assert.isTrue(reason._tag === "TooManyWatches" && reason.watches === 2 && reason.errno === undefined)
        assert.deepStrictEqual(yield* after(tree, 0), ["Created a", "Created b", "Created c"])
        assert.deepStrictEqual([...(yield* tree.status).unseen.keys()], ["b", "c"])
        system.remove("/w/a")
        assert.deepStrictEqual(yield* after(tree, 1000), ["Removed a"])
        system.entries.set("/w/b/x", file(6))
        system.put("/w/b", directory(4, { mode: 0o700 }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created b/x", "AttributesChanged b"])
      })
    )

    for (const code of ["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"]) {
      it.effect(`of the system: ${code}`, () =>
        Effect.gen(function* () {
          const system = fakeFileSystem()
          system.entries.set("/w", directory(2))
          system.state.refusing.set("/w", code)
          const { reason } = yield* Effect.flip(FileWatch.make(system.platform).watch("/w"))
          assert.isTrue(reason._tag === "TooManyWatches" && reason.errno === code)
        })
      )
    }
  })

  describe("hints that got lost", () => {
    it.effect("everything is looked at again after an overflow", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, ["a/", "a/b/", "a/b/c"])
        system.entries.set("/w/a/b/d", file(3))
        system.entries.delete("/w/a/b/c")
        assert.strictEqual(yield* after(tree, 1000), undefined)
        system.hint("/w/a", { _tag: "Overflow" })
        assert.deepStrictEqual(yield* after(tree, 1000), ["Removed a/b/c", "Created a/b/d"])
        assert.strictEqual((yield* tree.status).rescans, 1)
      })
    )

    it.effect("a lost watch is opened again, and its directory read", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, ["a/"])
        const { opened } = system.state
        system.entries.set("/w/a/b", file(3))
        system.hint("/w/a", { _tag: "Lost" })
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a/b"])
        assert.strictEqual(system.state.opened, opened + 1)
      })
    )

    it.effect("or when asked, or after a time without any", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({ rescanInterval: "1 minute" }, ["a/"])
        system.entries.set("/w/a/b", file(3))
        yield* tree.rescan
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a/b"])
        system.entries.set("/w/a/c", file(4))
        assert.strictEqual(yield* after(tree, 59_000), undefined)
        assert.deepStrictEqual(yield* after(tree, 61_000), ["Created a/c"])
      })
    )

    it.effect("a file written under one of its names changed under all", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching({}, ["a", "b/"])
        system.put("/w/b/c", file(100, { links: 2 }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created b/c"])
        system.entries.set("/w/a", file(100, { links: 2, sizeBytes: 2 }))
        system.put("/w/b/c", file(100, { links: 2, sizeBytes: 2 }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Modified a", "Modified b/c"])
      })
    )

    it.effect("a write that left the same time is told", () =>
      Effect.gen(function* () {
        const { system, tree } = yield* watching()
        system.put("/w/a", file(3, { isFresh: true }))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Created a"])
        system.put("/w/a", file(3))
        assert.deepStrictEqual(yield* after(tree, 1000), ["Modified a"])
        system.put("/w/a", file(3))
        assert.strictEqual(yield* after(tree, 1000), undefined)
      })
    )
  })

  describe("handlers", () => {
    it.effect("run for the changes of their kind, until one fails", () =>
      Effect.gen(function* () {
        const system = fakeFileSystem()
        system.entries.set("/w", directory(2))
        const seen: Array<string> = []
        const fiber = yield* FileWatch.handle("/w", {
          Created: ({ path }, tree) => Effect.sync(() => seen.push(tree.at(path))),
          Removed: ({ path }) => Effect.fail(`removed ${path}`)
        }).pipe(
          Effect.provideService(FileWatch.FileWatch, FileWatch.make(system.platform)),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust(0)
        system.put("/w/a", file(3))
        yield* TestClock.adjust(1000)
        system.put("/w/a", file(3, { sizeBytes: 9 }))
        yield* TestClock.adjust(1000)
        system.remove("/w/a")
        yield* TestClock.adjust(1000)
        assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "removed a")
        assert.deepStrictEqual(seen, ["/w/a"])
        assert.deepStrictEqual(system.watched(), [])
      })
    )
  })
})
