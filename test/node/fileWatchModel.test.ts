/**
 * Random work on a real tree. The state built from nothing but changes is always the watch's own, and becomes the real
 * tree when that is left alone.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NodeFileWatch from "../../src/node/NodeFileWatch.ts"
import { watch, type WatchedTree } from "../../src/reactor/FileWatch.ts"
import { applied, type FileSnapshot } from "../../src/reactor/FileWatchChange.ts"
import { eventually, pictured, real, temporary } from "./fileWatchTree.ts"

/** Numbers below `n`: one seed, one history. */
const chance = (seed: number) => {
  let state = seed
  return (n: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n
  }
}

const names = ["a", "b", "c", "d"]

/** Changes the tree at random; what cannot be done is not. */
const worker = (seed: number, root: string, outside: string) => {
  const below = chance(seed)
  const one = (): string => {
    const depth = 1 + below(4)
    return path.join(root, ...Array.from({ length: depth }, () => names[below(names.length)] ?? "a"))
  }
  const away = () => path.join(outside, names[below(names.length)] ?? "a")
  const works: ReadonlyArray<() => void> = [
    () => fs.writeFileSync(one(), "x".repeat(below(5))),
    () => fs.appendFileSync(one(), "more"),
    () => fs.mkdirSync(one()),
    () => fs.mkdirSync(path.join(one(), "c", "b"), { recursive: true }),
    () => fs.renameSync(one(), one()),
    () => fs.renameSync(one(), one()),
    () => fs.unlinkSync(one()),
    () => fs.rmSync(one(), { recursive: true }),
    () => fs.renameSync(one(), away()),
    () => fs.renameSync(away(), one()),
    () => fs.symlinkSync("..", one()),
    () => fs.linkSync(one(), one()),
    () => fs.chmodSync(one(), 0o755),
    () => {
      const file = one()
      fs.writeFileSync(`${file}~`, "saved")
      fs.renameSync(`${file}~`, file)
    },
    () => {
      if (below(4) > 0) return
      fs.rmSync(root, { recursive: true })
      if (below(2) > 0) fs.mkdirSync(path.join(root, "a", "b"), { recursive: true })
    },
    () => fs.mkdirSync(root)
  ]
  return () => {
    try {
      works[below(works.length)]?.()
    } catch {
      // Nothing of that name, or something else.
    }
    return below(3) === 0
  }
}

/** Follows a tree: what changes made of its first snapshot. */
const follower = Effect.fnUntraced(function* (tree: WatchedTree) {
  const state = { built: yield* tree.snapshot, wrong: undefined as [FileSnapshot, FileSnapshot] | undefined }
  const follow = Effect.forever(
    Effect.gen(function* () {
      const { changes } = yield* tree.next
      state.built = applied(state.built, changes)
      const own = yield* tree.snapshot
      try {
        assert.deepStrictEqual(pictured(state.built), pictured(own))
      } catch {
        state.wrong ??= [state.built, own]
      }
    })
  )
  return { state, fiber: yield* Effect.forkScoped(follow) }
})

const history = (seed: number) =>
  Effect.gen(function* () {
    const top = yield* temporary
    const root = path.join(top, "root")
    const outside = path.join(top, "outside")
    fs.mkdirSync(path.join(root, "a", "b"), { recursive: true })
    fs.mkdirSync(path.join(outside, "b", "c"), { recursive: true })
    fs.writeFileSync(path.join(outside, "b", "c", "d"), "moved in")
    const tree = yield* watch(root, { quietTime: 5, delayMax: 30 })
    const work = worker(seed, root, outside)
    const below = chance(-seed)
    for (let round = 0; round < 15; round++) {
      const { fiber, state } = yield* follower(tree)
      for (let count = 1 + below(30); count > 0; count--) {
        if (work()) yield* Effect.sleep(below(8))
      }
      // A reader may go at any time; the next one begins with what is known then.
      if (below(3) > 0) {
        yield* eventually(
          () => pictured(state.built),
          () => real(root)
        )
      }
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(state.wrong, undefined)
    }
  }).pipe(Effect.scoped, Effect.provide(NodeFileWatch.layer))

describe("NodeFileWatch, random work", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it.live(`seed ${seed}`, () => history(seed), 120_000)
  }
})
