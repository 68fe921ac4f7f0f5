/** When it is time to look, and at what. */
import { assert, describe, it } from "@effect/vitest"
import { Deep, FileWatchDirty, List, Look, Written } from "../../src/reactor/FileWatchDirty.ts"
import { depthOf, FileWatchTree, join, nameOf, parentOf } from "../../src/reactor/FileWatchTree.ts"
import { directory, file } from "./fileWatchEntries.ts"

describe("FileWatchDirty", () => {
  it("is due when it was quiet, and at the latest after the longest delay", () => {
    const dirty = new FileWatchDirty({ quietMillis: 10, longestMillis: 25 })
    assert.strictEqual(dirty.due, Number.POSITIVE_INFINITY)
    dirty.mark("a", Look, 100)
    assert.strictEqual(dirty.due, 110)
    dirty.mark("b", Look, 108)
    assert.strictEqual(dirty.due, 118)
    dirty.mark("a", Look, 117)
    assert.strictEqual(dirty.due, 125)
    dirty.take()
    assert.strictEqual(dirty.due, Number.POSITIVE_INFINITY)
    dirty.mark("a", Look, 200)
    assert.strictEqual(dirty.due, 210)
  })

  it("gathers what is to be done with a path, and gives parents first", () => {
    const dirty = new FileWatchDirty({ quietMillis: 0, longestMillis: 0 })
    dirty.mark("a/b", Look, 0)
    dirty.mark("a/b", Written, 0)
    dirty.mark("a", List, 0)
    assert.deepStrictEqual(dirty.take(), [
      ["a", List],
      ["a/b", Look | Written]
    ])
    assert.isTrue(dirty.isEmpty)
  })

  it("is bounded: of too many paths it makes everything", () => {
    const dirty = new FileWatchDirty({ quietMillis: 10, longestMillis: 10 })
    let became = 0
    for (let count = 0; count <= 16_384; count++) if (dirty.mark(`f${count}`, Look, count)) became++
    assert.strictEqual(became, 1)
    assert.strictEqual(dirty.due, 10)
    assert.deepStrictEqual(dirty.take(), [["", Look | List | Deep]])
  })
})

describe("FileWatchTree", () => {
  it("knows paths", () => {
    assert.deepStrictEqual(["a/b/c", "a", ""].map(parentOf), ["a/b", "", undefined])
    assert.deepStrictEqual(["a/b/c", "a", ""].map(depthOf), [3, 1, 0])
    assert.deepStrictEqual(["a/b/c", "a", ""].map(nameOf), ["c", "a", ""])
    assert.deepStrictEqual([join("", "a"), join("a", "b")], ["a", "a/b"])
  })

  it("removes a path with all below it, the deepest first", () => {
    const tree = new FileWatchTree()
    tree.put("", directory(1))
    tree.put("a", directory(2))
    tree.put("a/b", directory(3))
    tree.put("a/b/c", file(4))
    tree.put("ab", file(5))
    const removed: Array<string> = []
    tree.remove("a", (path) => removed.push(path))
    assert.deepStrictEqual(removed, ["a/b/c", "a/b", "a"])
    assert.deepStrictEqual([...tree.snapshot().keys()], ["", "ab"])
    assert.deepStrictEqual(tree.namesIn(""), ["ab"])
    assert.deepStrictEqual(tree.namesIn("a"), [])
    tree.remove("", (path) => removed.push(path))
    assert.strictEqual(tree.size, 0)
  })
})
