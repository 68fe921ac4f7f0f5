/** Jobs that ask the main side. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import {
  blockingCallFromThread,
  callFromThread,
  CurrentJob,
  type ThreadJob
} from "../../../src/reactor/ThreadJob.ts"

export class NoSuchBook extends Data.TaggedError("NoSuchBook")<{ readonly number: number }> {}

export class Library extends Context.Service<
  Library,
  {
    readonly titleOf: (number: number) => Effect.Effect<string, NoSuchBook>
    readonly plain: (a: number, b: number) => number
    readonly promised: (text: string) => Promise<string>
    readonly all: Effect.Effect<ReadonlyArray<string>>
    readonly never: () => Effect.Effect<string>
    readonly lambda: () => Effect.Effect<() => number>
    readonly name: string
  }
>()("test/node/threads/Library") {}

export class Hidden extends Context.Service<Hidden, { readonly secret: () => string }>()(
  "test/node/threads/Hidden"
) {}

export const title = (number: number) => callFromThread(Library, "titleOf", [number])

export const everything = () =>
  Effect.all(
    {
      all: callFromThread(Library, "all", []),
      plain: callFromThread(Library, "plain", [1, 2]),
      promised: callFromThread(Library, "promised", ["p"])
    },
    { concurrency: "unbounded" }
  )

export const hidden = () => callFromThread(Hidden, "secret", [])
export const lambda = () => callFromThread(Library, "lambda", [])
export const waits = () => callFromThread(Library, "never", [])

export function raw(this: ThreadJob, service: string, method: string) {
  return this.ask({ service, method, args: [] })
}

export function titleBlocking(this: ThreadJob, number: number): string {
  return blockingCallFromThread(this, Library, "titleOf", [number])
}

export function titlesBlocking(this: ThreadJob, count: number): number {
  let letters = 0
  for (let i = 0; i < count; i++) letters += blockingCallFromThread(this, Library, "titleOf", [1]).length
  return letters
}

export function titleOrTag(this: ThreadJob, number: number): string {
  try {
    return blockingCallFromThread(this, Library, "titleOf", [number])
  } catch (error) {
    const { reason } = error as { readonly reason: { readonly _tag: string; readonly cause: object } }
    const { _tag, number } = reason.cause as { readonly _tag: string; readonly number: number }
    return `${reason._tag} ${_tag} ${number}`
  }
}

export function waitsBlocking(this: ThreadJob<number>, flags: Int32Array): string {
  this.progress(1)
  try {
    return blockingCallFromThread(this, Library, "never", [])
  } finally {
    Atomics.add(flags, 0, 1)
  }
}

/** Asks when the job is long over. */
export const asksLate = () =>
  Effect.map(CurrentJob, (job) => {
    setTimeout(() => void job.ask({ service: Library.key, method: "all", args: [] }), 1)
    return 1
  })
