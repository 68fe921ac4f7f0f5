import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"

/** How a fiber that waits in `Effect.callback` goes on. */
export type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

/** Those who wait for one thing. There is no set while nobody waits. */
export type Waiters<A, E> = Set<Resume<A, E>> | undefined

/** Known by who watches, so that it needs no fiber. */
class Until<A, E> extends Effectable.Class<A, E> {
  private readonly settled: () => Effect.Effect<A, E> | undefined
  private readonly waiters: () => Set<Resume<A, E>>

  constructor(settled: () => Effect.Effect<A, E> | undefined, waiters: () => Set<Resume<A, E>>) {
    super()
    this.settled = settled
    this.waiters = waiters
  }

  /** Resumes at once, or gives those among whom it waits. */
  begin(resume: Resume<A, E>): Set<Resume<A, E>> | undefined {
    const result = this.settled()
    if (result !== undefined) return void resume(result)
    return this.waiters().add(resume)
  }

  asEffect(): Effect.Effect<A, E> {
    return Effect.callback((resume) => {
      const waiters = this.begin(resume)
      return waiters === undefined ? undefined : Effect.sync(() => void waiters.delete(resume))
    })
  }
}

/**
 * Goes on with what `settled` gives as soon as that is known: now, or resumed among the `waiters`. Both are asked in the
 * very step that begins to wait: between two steps of a fiber anything may happen.
 */
export const until = <A, E>(
  settled: () => Effect.Effect<A, E> | undefined,
  waiters: () => Set<Resume<A, E>>
): Effect.Effect<A, E> => new Until(settled, waiters)

/**
 * Tells how `effect` ended, perhaps at once; what it gives ends the waiting. An `until` costs a place among the waiters, anything else
 * a fiber that runs with `context`.
 */
export const watch = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<R>,
  onEnd: (exit: Exit.Exit<A, E>) => void
): (() => void) => {
  if (!(effect instanceof Until)) {
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
  const waiters = (effect as Until<A, E>).begin(resumed)
  if (waiters !== undefined) forget = () => void waiters.delete(resumed)
  return () => forget?.()
}
