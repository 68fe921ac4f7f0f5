/** What changes a batch tells, from what was and what is. */
import { assert, describe, it } from "@effect/vitest"
import { applied, type FileChange } from "../../src/reactor/FileWatchChange.ts"
import type { FileEntry } from "../../src/reactor/FileWatchEntry.ts"
import { FileWatchJournal } from "../../src/reactor/FileWatchJournal.ts"
import { directory, file } from "./fileWatchEntries.ts"

type State = Readonly<Record<string, FileEntry>>

const changesOf = (
  before: State,
  after: State,
  touched: ReadonlyArray<string> = []
): ReadonlyArray<FileChange> => {
  const journal = new FileWatchJournal()
  for (const path of Object.keys({ ...before, ...after })) journal.note(path, before[path])
  for (const path of touched) {
    const entry = before[path]
    if (entry !== undefined) journal.touch(path, entry)
  }
  const changes = journal.take((path) => after[path])
  // The law: changes make the one state of the other.
  assert.deepStrictEqual(
    new Map([...applied(new Map(Object.entries(before)), changes)].sort()),
    new Map(Object.entries(after).sort())
  )
  assert.deepStrictEqual(
    journal.take((path) => after[path]),
    []
  )
  return changes
}

const told = (before: State, after: State, touched?: ReadonlyArray<string>): ReadonlyArray<string> =>
  changesOf(before, after, touched).map((change) => {
    switch (change._tag) {
      case "Moved":
        return `Moved ${change.from} ${change.path}${change.modified ? " modified" : ""}${change.replaced ? " replaced" : ""}`
      case "Modified":
        return `Modified ${change.path}${change.replaced ? " replaced" : ""}`
      default:
        return `${change._tag} ${change.path}`
    }
  })

describe("FileWatchJournal", () => {
  it("tells creation with parents first, and removal with parents last", () => {
    const tree = { a: directory(1), "a-b": file(2), "a/b": directory(3), "a/b/c": file(4) }
    assert.deepStrictEqual(told({}, tree), ["Created a", "Created a-b", "Created a/b", "Created a/b/c"])
    assert.deepStrictEqual(told(tree, {}), ["Removed a/b/c", "Removed a/b", "Removed a-b", "Removed a"])
  })

  it("tells nothing of what came and went, or is as it was", () => {
    const journal = new FileWatchJournal()
    journal.note("a", undefined)
    journal.note("b", file(1))
    assert.deepStrictEqual(
      journal.take((path) => (path === "b" ? file(1, { isFresh: true }) : undefined)),
      []
    )
  })

  it("keeps the oldest state of a path", () => {
    const journal = new FileWatchJournal()
    journal.note("a", undefined)
    journal.note("a", file(1))
    assert.deepStrictEqual(
      journal.take(() => file(2)).map((change) => change._tag),
      ["Created"]
    )
  })

  it("tells content from attributes", () => {
    const was = { f: file(1) }
    assert.deepStrictEqual(told(was, { f: file(1, { sizeBytes: 2 }) }), ["Modified f"])
    assert.deepStrictEqual(told(was, { f: file(1, { mtimeNanos: 2n, mode: 0o600 }) }), ["Modified f"])
    assert.deepStrictEqual(told(was, { f: file(1, { mode: 0o600, ctimeNanos: 2n }) }), [
      "AttributesChanged f"
    ])
    assert.deepStrictEqual(told(was, { f: file(1, { links: 2, ctimeNanos: 2n }) }), ["AttributesChanged f"])
    // Written, and its time set back.
    assert.deepStrictEqual(told(was, { f: file(1, { ctimeNanos: 2n }) }), ["Modified f"])
    assert.deepStrictEqual(told(was, was, ["f"]), ["Modified f"])
  })

  it("does not tell of a directory what its contents tell", () => {
    const journal = new FileWatchJournal()
    journal.note("d", directory(1))
    assert.deepStrictEqual(
      journal.take(() => directory(1, { mtimeNanos: 9n, ctimeNanos: 9n, links: 3 })),
      []
    )
    assert.deepStrictEqual(told({ d: directory(1) }, { d: directory(1, { mode: 0o700 }) }), [
      "AttributesChanged d"
    ])
  })

  it("tells what took another's place", () => {
    assert.deepStrictEqual(told({ f: file(1) }, { f: file(2) }), ["Modified f replaced"])
    assert.deepStrictEqual(told({ f: file(1) }, { f: directory(2) }), ["Removed f", "Created f"])
  })

  describe("moves", () => {
    it("of a file, with what else happened to it", () => {
      assert.deepStrictEqual(told({ a: file(1) }, { b: file(1, { ctimeNanos: 2n }) }), ["Moved a b"])
      assert.deepStrictEqual(told({ a: file(1) }, { b: file(1, { sizeBytes: 2 }) }), ["Moved a b modified"])
    })

    it("of a tree, each path for itself", () => {
      assert.deepStrictEqual(
        told(
          { a: directory(1), "a/f": file(2), "a/g": file(3) },
          { b: directory(1), "b/f": file(2), "b/h": file(4) }
        ),
        ["Removed a/g", "Moved a b", "Moved a/f b/f", "Created b/h"]
      )
    })

    it("over another file, in a chain, and across", () => {
      assert.deepStrictEqual(told({ a: file(1), b: file(2) }, { b: file(1) }), ["Moved a b replaced"])
      assert.deepStrictEqual(told({ a: file(1), b: file(2) }, { b: file(1), c: file(2) }), [
        "Moved a b",
        "Moved b c"
      ])
      assert.deepStrictEqual(told({ a: file(1), b: file(2) }, { a: file(2), b: file(1) }), [
        "Moved b a",
        "Moved a b"
      ])
      assert.deepStrictEqual(told({ a: file(1) }, { a: file(2), b: file(1) }), ["Moved a b", "Created a"])
    })

    it("only where it is certain", () => {
      const apart = ["Removed a", "Created b"]
      const doubtful = { identityIsCertain: false }
      assert.deepStrictEqual(told({ a: file(1, doubtful) }, { b: file(1) }), apart)
      assert.deepStrictEqual(told({ a: file(1) }, { b: file(1, doubtful) }), apart)
      // One of several names went, another came.
      assert.deepStrictEqual(told({ a: file(1, { links: 2 }) }, { b: file(1, { links: 2 }) }), apart)
      assert.deepStrictEqual(told({ a: file(1) }, { b: file(1, { links: 2 }), c: file(1, { links: 2 }) }), [
        "Removed a",
        "Created b",
        "Created c"
      ])
      assert.deepStrictEqual(told({ a: file(1) }, { b: directory(1) }), apart)
    })
  })
})
