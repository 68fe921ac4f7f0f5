import * as Effect from "effect/Effect"

/** How a fiber that waits in `Effect.callback` goes on. */
export type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

/** Those who wait for one thing. There is no set while nobody waits. */
export type Waiters<A, E> = Set<Resume<A, E>> | undefined

/** Waits among them, until resumed from outside. */
export const wait = <A, E>(waiters: Set<Resume<A, E>>): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    waiters.add(resume)
    return Effect.sync(() => {
      waiters.delete(resume)
    })
  })
