/**
 * Many small writes, few transactions. What fibers submit in one turn of the event loop is committed together at
 * its end, so that the price of a commit (a system call, and a wait for the disk) is shared, and nobody waits for
 * a timer: a lonely submission is committed in the same turn.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

export interface GroupCommit<in A, out E> {
  /**
   * Returns when all `items` are committed. Submissions are committed in their order, each in one batch if it has at
   * most `batchItemsMax` items, else in several, one after the other. Interrupted: what has not been committed by
   * then never will be.
   */
  readonly submit: (items: ReadonlyArray<A>) => Effect.Effect<void, E>
}

export interface Options<A, E> {
  /** Makes one batch durable, all of it or nothing. Runs synchronously. Its failure is that of every submission in it. */
  readonly commit: (batch: ReadonlyArray<ReadonlyArray<A>>) => Exit.Exit<void, E>
  /** The failure of what is submitted after the scope closed. */
  readonly closed: () => E
  /** Bounds how long one commit holds the event loop. */
  readonly batchItemsMax: number
  /** A submission that finds this many items queued or more waits for room, first come, first served. */
  readonly queueItemsMax: number
}

interface Submission<A, E> {
  readonly items: ReadonlyArray<A>
  readonly resume: (exit: Exit.Exit<void, E>) => void
  state: "queued" | "taken" | "interrupted"
}

/** Closing the scope commits what is queued; who waits for room by then, or comes later, gets `closed`. */
export const make = Effect.fnUntraced(function* <A, E>(
  options: Options<A, E>
): Effect.fn.Return<GroupCommit<A, E>, never, Scope.Scope> {
  const { batchItemsMax, queueItemsMax } = options
  let queue: Array<Submission<A, E>> = []
  let queuedItems = 0
  let closed = false
  const work = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)

  const takeBatch = (): Array<Submission<A, E>> => {
    const batch: Array<Submission<A, E>> = []
    let taken = 0
    let items = 0
    for (const submission of queue) {
      if (batch.length > 0 && items + submission.items.length > batchItemsMax) break
      taken++
      if (submission.state === "interrupted") continue
      submission.state = "taken"
      items += submission.items.length
      batch.push(submission)
    }
    queue = queue.slice(taken)
    queuedItems -= items
    return batch
  }

  const commitBatch = (): void => {
    const batch = takeBatch()
    if (batch.length > 0) {
      let exit: Exit.Exit<void, E>
      try {
        exit = options.commit(batch.map((submission) => submission.items))
      } catch (defect) {
        exit = Exit.die(defect)
      }
      // Each resumed fiber runs right here, and may submit again: for the next batch.
      for (const submission of batch) submission.resume(exit)
    }
    // Wakes in the order of arrival; who finds it full again waits again, in that order.
    if (queuedItems < queueItemsMax) room.openUnsafe()
  }

  const submitOne = (items: ReadonlyArray<A>): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      if (closed) return Effect.fail(options.closed())
      if (!room.isOpen()) return Effect.andThen(room.await, submitOne(items))
      return Effect.callback<void, E>((resume) => {
        const submission: Submission<A, E> = { items, resume, state: "queued" }
        queue.push(submission)
        queuedItems += items.length
        if (queuedItems >= queueItemsMax) room.closeUnsafe()
        work.openUnsafe()
        return Effect.sync(() => {
          // Already committed, and interrupted by one that was committed with it: too late.
          if (submission.state !== "queued") return
          submission.state = "interrupted"
          // Who waits for room is woken by the next commit: one is on its way.
          queuedItems -= items.length
        })
      })
    })

  // Opening the latch runs this fiber on the submitter's stack. The yield puts the commit behind all input events
  // of this turn; one more between two batches lets the event loop serve others.
  const flush = Effect.gen(function* () {
    for (;;) {
      yield* work.await
      yield* Effect.yieldNow
      commitBatch()
      if (queue.length === 0) work.closeUnsafe()
    }
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      while (queue.length > 0) commitBatch()
      room.openUnsafe()
    })
  )
  yield* Effect.forkScoped(flush, { startImmediately: true })

  return {
    submit: (items) => {
      if (items.length === 0) return Effect.void
      if (items.length <= batchItemsMax) return submitOne(items)
      return Effect.gen(function* () {
        for (let at = 0; at < items.length; at += batchItemsMax) {
          yield* submitOne(items.slice(at, at + batchItemsMax))
        }
      })
    }
  }
})
