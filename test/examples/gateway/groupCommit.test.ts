import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as GroupCommit from "../../../examples/gateway/GroupCommit.ts"

/** What was committed, batch by batch; a batch with a negative number fails, one with NaN throws. */
const recorder = Effect.fnUntraced(function* (
  options: { batchItemsMax?: number; queueItemsMax?: number } = {}
) {
  const batches: Array<Array<number>> = []
  const group = yield* GroupCommit.make<number, string>({
    batchItemsMax: options.batchItemsMax ?? 100,
    queueItemsMax: options.queueItemsMax ?? 1_000,
    closed: () => "closed",
    commit: (batch) => {
      const items = batch.flat()
      if (items.some(Number.isNaN)) throw new Error("a bug")
      if (items.some((item) => item < 0)) return Exit.fail(`refused ${items.join()}`)
      batches.push(items)
      return Exit.void
    }
  })
  return { ...group, batches }
})

const forkSubmit = (group: GroupCommit.GroupCommit<number, string>, ...items: Array<number>) =>
  Effect.forkChild(group.submit(items), { startImmediately: true })

describe("GroupCommit", () => {
  it.effect("commits what was submitted in one turn at once, in its order", () =>
    Effect.gen(function* () {
      const group = yield* recorder()
      const fibers = yield* Effect.forEach([1, 2, 3], (item) => forkSubmit(group, item, item * 10))
      assert.deepStrictEqual(group.batches, [])
      yield* Fiber.awaitAll(fibers)
      assert.deepStrictEqual(group.batches, [[1, 10, 2, 20, 3, 30]])
    })
  )

  it.effect("commits a lonely submission without waiting for others", () =>
    Effect.gen(function* () {
      // The clock of this test stands still: a timer would never fire.
      const group = yield* recorder()
      yield* group.submit([1])
      yield* group.submit([2])
      assert.deepStrictEqual(group.batches, [[1], [2]])
    })
  )

  it.effect("has nothing to do for nothing", () =>
    Effect.gen(function* () {
      const group = yield* recorder()
      yield* group.submit([])
      assert.deepStrictEqual(group.batches, [])
    })
  )

  it.effect("bounds batches, and lets others run between them", () =>
    Effect.gen(function* () {
      const group = yield* recorder({ batchItemsMax: 3 })
      const fibers = yield* Effect.forEach([1, 2, 3, 4], (item) => forkSubmit(group, item, item))
      yield* Fiber.join(fibers[0]!)
      assert.deepStrictEqual(group.batches, [[1, 1]])
      yield* Fiber.awaitAll(fibers)
      // A submission is not torn: two items would still have fitted.
      assert.deepStrictEqual(group.batches, [
        [1, 1],
        [2, 2],
        [3, 3],
        [4, 4]
      ])
    })
  )

  it.effect("tears only a submission that is larger than a batch", () =>
    Effect.gen(function* () {
      const group = yield* recorder({ batchItemsMax: 3 })
      yield* group.submit([1, 2, 3, 4, 5, 6, 7])
      assert.deepStrictEqual(group.batches, [[1, 2, 3], [4, 5, 6], [7]])
    })
  )

  it.effect("fails exactly the submissions of the batch that fails", () =>
    Effect.gen(function* () {
      const group = yield* recorder({ batchItemsMax: 2 })
      const fibers = yield* Effect.forEach([1, 2, -3, 4, 5, 6], (item) => forkSubmit(group, item))
      assert.deepStrictEqual(yield* Fiber.awaitAll(fibers), [
        Exit.void,
        Exit.void,
        Exit.fail("refused -3,4"),
        Exit.fail("refused -3,4"),
        Exit.void,
        Exit.void
      ])
      assert.deepStrictEqual(group.batches, [
        [1, 2],
        [5, 6]
      ])
    })
  )

  it.effect("goes on after a commit that threw", () =>
    Effect.gen(function* () {
      const group = yield* recorder()
      const exit = yield* Effect.exit(group.submit([Number.NaN]))
      assert.isTrue(Exit.hasDies(exit))
      yield* group.submit([1])
      assert.deepStrictEqual(group.batches, [[1]])
    })
  )

  it.effect("never commits what was interrupted before", () =>
    Effect.gen(function* () {
      const group = yield* recorder()
      const fibers = yield* Effect.forEach([1, 2, 3], (item) => forkSubmit(group, item))
      yield* Fiber.interrupt(fibers[1]!)
      yield* Fiber.awaitAll(fibers)
      assert.deepStrictEqual(group.batches, [[1, 3]])
    })
  )

  it.effect("does not count out twice what is interrupted while its batch is told", () =>
    Effect.gen(function* () {
      const group = yield* recorder({ queueItemsMax: 2 })
      let second: Fiber.Fiber<void, string> | undefined
      const first = yield* Effect.forkChild(
        Effect.andThen(
          group.submit([1]),
          Effect.sync(() => second?.interruptUnsafe())
        ),
        { startImmediately: true }
      )
      second = yield* forkSubmit(group, 2)
      const exits = yield* Fiber.awaitAll([first, second])
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false])
      const more = yield* Effect.forEach([11, 12, 13], (item) => forkSubmit(group, item))
      yield* Fiber.awaitAll(more)
      assert.deepStrictEqual(group.batches, [[1, 2], [11, 12], [13]])
    })
  )

  it.effect("makes who finds the queue full wait for room, in the order of arrival", () =>
    Effect.gen(function* () {
      const group = yield* recorder({ batchItemsMax: 2, queueItemsMax: 3 })
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7], (item) => forkSubmit(group, item))
      // The fourth waits outside: it must leave no trace.
      yield* Fiber.interrupt(fibers[3]!)
      // The second leaves its place.
      yield* Fiber.interrupt(fibers[1]!)
      yield* Fiber.awaitAll(fibers)
      assert.deepStrictEqual(group.batches, [[1, 3], [5, 6], [7]])
      // The books are even: the queue takes as much as in the beginning.
      const more = yield* Effect.forEach([11, 12, 13], (item) => forkSubmit(group, item))
      yield* Fiber.awaitAll(more)
      assert.deepStrictEqual(group.batches.slice(3), [[11, 12], [13]])
    })
  )

  it.effect("commits the queue when it is closed, and refuses the rest", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const group = yield* Scope.provide(recorder({ batchItemsMax: 2, queueItemsMax: 3 }), scope)
      const fibers = yield* Effect.forEach([1, 2, 3, 4], (item) => forkSubmit(group, item))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(group.batches, [[1, 2], [3]])
      assert.deepStrictEqual(yield* Fiber.awaitAll(fibers), [
        Exit.void,
        Exit.void,
        Exit.void,
        Exit.fail("closed")
      ])
      assert.deepStrictEqual(yield* Effect.exit(group.submit([5])), Exit.fail("closed"))
    })
  )
})
