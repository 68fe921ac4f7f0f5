/** Jobs that end badly, late or not at all. */
import { threadId } from "node:worker_threads"
import * as Effect from "effect/Effect"
import { CurrentJob, type ThreadJob } from "../../../src/reactor/ThreadJob.ts"

/** Never ends, and hears nothing. */
export function spins(this: ThreadJob<number>): never {
  this.progress(threadId)
  for (;;);
}

/** Ends when it is told to, and only then. */
export function spinsUntilCancelled(this: ThreadJob<number>, flags: Int32Array): void {
  this.progress(threadId)
  while (!this.cancelled);
  Atomics.add(flags, 0, 1)
}

export async function waitsForSignal(this: ThreadJob<number>, flags: Int32Array): Promise<void> {
  const { signal } = this
  this.progress(threadId)
  await new Promise((resolve) => signal.addEventListener("abort", resolve))
  Atomics.add(flags, 0, 1)
}

/** An effect that would take for ever, and says that it was interrupted. */
export function sleeps(this: ThreadJob<number>, flags: Int32Array) {
  // It has been parked once when somebody hears of it.
  const report = Effect.andThen(
    Effect.sleep(1),
    Effect.sync(() => this.progress(threadId))
  )
  return Effect.andThen(
    report,
    Effect.onInterrupt(Effect.never, () => Effect.sync(() => Atomics.add(flags, 0, 1)))
  )
}

/** Waits until somebody wakes it. */
export function gate(this: ThreadJob<number>, flags: Int32Array): number {
  this.progress(threadId)
  Atomics.wait(flags, 0, 0)
  return threadId
}

export const here = (): number => threadId

export const exits = (code: number): Promise<never> => {
  process.exit(code)
}

/** Throws where nobody catches it. */
export const crashes = (): Promise<never> => {
  setImmediate(() => {
    throw new RangeError("uncaught")
  })
  return new Promise(() => {})
}

/** Throws where nobody catches it, when the job is over. */
export const crashesAfterwards = (): number => {
  setImmediate(() => {
    throw new RangeError("afterwards")
  })
  return threadId
}

/** Ends its thread when the job is over, before it looks at the next one, which has come by then. */
export const exitsAfterwards = (flags: Int32Array): number => {
  const end = (turnsLeft: number): void => {
    if (turnsLeft > 0) return queueMicrotask(() => end(turnsLeft - 1))
    Atomics.wait(flags, 0, 0)
    process.exit(4)
  }
  // The result is sent within a few microtasks, and nothing is received between them.
  end(100)
  return threadId
}

export const fillsMemory = (): number => {
  const kept: Array<ReadonlyArray<number>> = []
  for (;;) kept.push(Array.from({ length: 10_000 }, (_, at) => at + kept.length))
}

export const hasJob = () => Effect.map(CurrentJob, (job) => job.cancelled)
