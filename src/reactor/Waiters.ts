import * as Effect from "effect/Effect"

/** How a fiber that waits in `Effect.callback` goes on. */
export type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

/** Those who wait for one thing. There is no set while nobody waits. */
export type Waiters<A, E> = Set<Resume<A, E>> | undefined

/**
 * Goes on with what `settled` gives as soon as that is known: now, or resumed among the `waiters`. Both are asked in the
 * very step that begins to wait: between two steps of a fiber anything may happen.
 */
export const until = <A, E>(
  settled: () => Effect.Effect<A, E> | undefined,
  waiters: () => Set<Resume<A, E>>
): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    const result = settled()
    if (result !== undefined) return resume(result)
    const own = waiters()
    own.add(resume)
    return Effect.sync(() => {
      own.delete(resume)
    })
  })
