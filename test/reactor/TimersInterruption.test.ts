/** Whatever waits or acquires is interrupted between any two of its steps: it ends, and nothing is left of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Cooperator from "../../src/reactor/Cooperator.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import * as LoopingCall from "../../src/reactor/LoopingCall.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { manualTimers } from "./manualTimers.ts"

/** A scheduler that gives way after every single step of a fiber. */
const makeSteps = () => {
  const tasks: Array<() => void> = []
  const take = () => tasks.shift()?.()
  const flush = () => {
    while (tasks.length > 0) take()
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "sync",
    // One operation goes for waking up.
    shouldYield: (fiber) => fiber.currentOpCount > 2,
    makeDispatcher: () => ({ scheduleTask: (task) => void tasks.push(task), flush })
  }
  return { flush, left: () => tasks.length > 0, scheduler, take }
}

interface Made {
  readonly effect: Effect.Effect<unknown, unknown, Timers.Timers | Cooperator.Cooperator | Scope.Scope>
  /** What is wrong afterwards; nothing, if all is well. */
  readonly left?: () => string | undefined
}

/** Interrupts it after every number of steps that it may take, until it waits. How many those are. */
const interruptEverywhere = (make: () => Made): number => {
  for (let step = 0; ; step++) {
    const scope = Scope.makeUnsafe()
    const { timers } = Effect.runSync(Effect.provideService(manualTimers, Scope.Scope, scope))
    const cooperator = Effect.runSync(
      Cooperator.make().pipe(
        Effect.provideService(Timers.Timers, timers),
        Effect.provideService(Scope.Scope, scope)
      )
    )
    const { effect, left } = make()
    const steps = makeSteps()
    const fiber = Effect.runFork(
      Effect.scoped(effect).pipe(
        Effect.provideService(Timers.Timers, timers),
        Effect.provideService(Cooperator.Cooperator, cooperator)
      ),
      { scheduler: steps.scheduler }
    )
    for (let at = 0; at < step; at++) steps.take()
    const waits = !steps.left()
    fiber.interruptUnsafe()
    steps.flush()
    const exit = fiber.pollUnsafe()
    assert.isTrue(exit !== undefined && Exit.isFailure(exit), `step ${step} has not ended it`)
    assert.isUndefined(left?.(), `step ${step}`)
    // The cooperator's own: a slice that finds nobody.
    const pending = Effect.runSync(timers.pending).filter((call) => call.getTime() > 0)
    assert.deepStrictEqual(pending, [], `step ${step} leaves a call`)
    Effect.runSync(Scope.close(scope, Exit.void))
    if (waits) return step
  }
}

describe("interruption between any two steps", () => {
  it("deferLater", () => {
    const steps = interruptEverywhere(() => ({ effect: deferLater("1 second") }))
    assert.isAtLeast(steps, 3)
  })

  it("callLater: what was scheduled is cancelled with its scope", () => {
    const steps = interruptEverywhere(() => ({
      effect: Effect.andThen(Timers.callLater("1 second", Effect.void), Effect.never)
    }))
    assert.isAtLeast(steps, 5)
  })

  it("a LoopingCall that waits: it may run again", () => {
    const steps = interruptEverywhere(() => {
      const loop = Effect.runSync(LoopingCall.make(Effect.void, { interval: 1000 }))
      return { effect: loop.run, left: () => (loop.looping ? "still looping" : undefined) }
    })
    assert.isAtLeast(steps, 5)
  })

  it("a LoopingCall in the background", () => {
    const steps = interruptEverywhere(() => {
      const loop = Effect.runSync(LoopingCall.make(Effect.never, { interval: 1000 }))
      return {
        effect: Effect.andThen(LoopingCall.start(loop), Effect.never),
        left: () => (loop.looping ? "still looping" : undefined)
      }
    })
    assert.isAtLeast(steps, 5)
  })

  it("tasks of a Cooperator: their generators are closed", () => {
    const starts = [
      (work: Iterable<undefined, void>) => Cooperator.cooperate(work),
      (work: Iterable<undefined, void>) => Cooperator.coiterate(work)
    ]
    for (const start of starts) {
      const steps = interruptEverywhere(() => {
        let open = 0
        const work: Iterable<undefined, void> = {
          [Symbol.iterator]: () => {
            open++
            return {
              next: () => ({ done: false, value: undefined }),
              return: () => {
                open--
                return { done: true, value: undefined }
              }
            }
          }
        }
        return {
          effect: Effect.andThen(start(work), Effect.never),
          left: () => (open === 0 ? undefined : "an open iterator")
        }
      })
      assert.isAtLeast(steps, 5)
    }
  })
})
