/** Who does something to the services of a group, and when: one after another. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Semaphore from "effect/Semaphore"
import type { Member } from "./ServiceMember.ts"

/** In what a fiber of a service is: what it asks for in its start, or in a finalizer, would wait for itself. */
export interface Asking {
  readonly member: Member
  readonly phase: "start" | "run"
}

export const CurrentAsking: Context.Reference<Asking | undefined> = Context.Reference(
  "spindle/app/ServiceTurn/CurrentAsking",
  { defaultValue: (): Asking | undefined => undefined }
)

/** Something that is done to a tree, from one turn. */
export class Operation {
  begun = false
  /** Whoever asked does not want it any more: what it has started, it stops. */
  cancelled = false
  /** What of a service's own it waits for, and may interrupt. */
  current: Fiber.Fiber<unknown, unknown> | undefined
  /** What it leads to in other turns: it begins when this one is over, and whoever asked waits for it, too. */
  readonly sequels: Array<Fiber.Fiber<unknown, unknown>> = []

  cancel(): void {
    this.cancelled = true
    this.current?.interruptUnsafe()
  }
}

/** Runs an effect in this context and no other: it has what the effect requires. */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<never>
): Effect.Effect<A, E> => Effect.updateContext(effect, () => context as Context.Context<R>)

/** Turns are taken from the root downwards: so nobody waits for somebody who waits for him. */
const inTurn = <A, E>(
  turns: ReadonlyArray<Semaphore.Semaphore>,
  body: Effect.Effect<A, E>
): Effect.Effect<A, E> => turns.reduceRight((inner, turn) => turn.withPermits(1)(inner), body)

export interface Performing {
  /** Whether whoever is interrupted while he waits for it does not want it any more. */
  readonly cancellable: boolean
  /** No start of this, or in it, goes on until this is over: so the turn comes soon. */
  readonly preempts?: Member | undefined
  /** Who asks is a part of the tree: it may be what stops him, and he must not wait for it then. */
  readonly fromWithin?: boolean | undefined
}

/** From now on, and not only while somebody waits for it. */
const preempting = <A, E>(member: Member | undefined, body: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  if (member === undefined) return body
  member.cancels++
  member.cancelStart()
  return Effect.ensuring(
    body,
    Effect.sync(() => member.cancels--)
  )
}

/** In a fiber of its own, in this context: nobody who asks for it takes it with him when he is interrupted. */
export const perform = <A, E>(
  context: Context.Context<never>,
  turns: ReadonlyArray<Semaphore.Semaphore>,
  body: (operation: Operation) => Effect.Effect<A, E>,
  options: Performing
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const operation = new Operation()
      const begin = Effect.suspend(() => {
        operation.begun = true
        return body(operation)
      })
      const performed = preempting(options.preempts, within(inTurn(turns, begin), context))
      const fiber = yield* Effect.forkDetach(performed, { startImmediately: true })
      const sequels = Effect.suspend(() => Fiber.awaitAll(operation.sequels))
      const result = restore(Effect.tap(Fiber.join(fiber), () => sequels))
      if (!options.cancellable) return yield* result
      return yield* Effect.onInterrupt(result, () => {
        const { begun } = operation
        // Now: it may have begun when the next operation of this fiber is done.
        if (begun) operation.cancel()
        else fiber.interruptUnsafe()
        return begun && options.fromWithin === true ? Effect.void : Fiber.await(fiber)
      })
    })
  )
