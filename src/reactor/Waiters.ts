import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** How a fiber that waits in `Effect.callback` goes on. */
export type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

/** Those who wait for one thing. There is no set while nobody waits. */
export type Waiters<A, E> = Set<Resume<A, E>> | undefined

/** Begins to wait; what it gives, if it waits, ends that. */
type Wait<A, E> = (resume: Resume<A, E>) => (() => void) | undefined

const wait = Symbol("spindle/reactor/Waiters")

interface Until<A, E> extends Effect.Effect<A, E> {
  [wait]?: Wait<A, E> | undefined
}

/**
 * Goes on with what `settled` gives as soon as that is known: now, or resumed among the `waiters`. Both are asked in the
 * very step that begins to wait: between two steps of a fiber anything may happen.
 */
export const until = <A, E>(
  settled: () => Effect.Effect<A, E> | undefined,
  waiters: () => Set<Resume<A, E>>
): Effect.Effect<A, E> => {
  const begin: Wait<A, E> = (resume) => {
    const result = settled()
    if (result !== undefined) return void resume(result)
    const own = waiters()
    own.add(resume)
    return () => void own.delete(resume)
  }
  const effect: Until<A, E> = Effect.callback((resume) => {
    const forget = begin(resume)
    return forget === undefined ? undefined : Effect.sync(forget)
  })
  effect[wait] = begin
  return effect
}

/**
 * Tells how `effect` ended, perhaps at once; what it gives ends the waiting. An `until` costs a place among the waiters, anything else
 * a fiber that runs with `context`.
 */
export const watch = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<R>,
  onEnd: (exit: Exit.Exit<A, E>) => void
): (() => void) => {
  const begin = (effect as Until<A, E>)[wait]
  if (begin === undefined) {
    const fiber = Effect.runForkWith(context)(effect)
    const forget = fiber.addObserver(onEnd)
    return () => {
      forget()
      fiber.interruptUnsafe()
    }
  }
  let forget: (() => void) | undefined
  const resumed: Resume<A, E> = (next) => {
    if (Exit.isExit(next)) onEnd(next as Exit.Exit<A, E>)
    // It goes on elsewhere, as a connection that has changed to TLS.
    else forget = watch(next, context, onEnd)
  }
  const first = begin(resumed)
  if (first !== undefined) forget = first
  return () => forget?.()
}
