/** Lookups that nobody can cancel, in turns: a bounded number at once, equal ones as one, each with a deadline. */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Host from "effect/net/Host"
import * as Semaphore from "effect/Semaphore"
import { ResolveError } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"
import type { Addresses, Options, Resolver } from "./Resolver.ts"

export interface QueueOptions {
  /** Lookups under way at once; the others wait for their turn, first come, first served. Default 4. */
  readonly lookupsMax?: number | undefined
  /** How long a lookup may take from when it starts; waiting for its turn does not count. Default 60 seconds, as Twisted. */
  readonly lookupTimeout?: Duration.Input | undefined
}

const lookupsMaxDefault = 4
const lookupTimeoutDefault = "60 seconds"

/** One question to the resolver below, and all who wait for its answer. */
interface Lookup {
  readonly started: Deferred.Deferred<void>
  readonly answered: Deferred.Deferred<Addresses, ResolveError>
  waiters: number
  isStarted: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

/**
 * `resolver` with its lookups in a queue. Equal questions under way are one lookup. Who is interrupted, or runs out of
 * time, leaves the others waiting; a lookup that nobody waits for is never begun. Once begun it runs to its end, and
 * holds its place so long: `resolver` is not interrupted.
 */
export const make = (resolver: Resolver, options: QueueOptions = {}): Resolver => {
  const { lookupTimeout = lookupTimeoutDefault, lookupsMax = lookupsMaxDefault } = options
  const places = Semaphore.makeUnsafe(lookupsMax)
  const underWay = new Map<string, Lookup>()

  const run = (key: string, lookup: Lookup, question: Effect.Effect<Addresses, ResolveError>) => {
    const answer = (exit: Exit.Exit<Addresses, ResolveError>) =>
      Effect.sync(() => {
        underWay.delete(key)
        Deferred.doneUnsafe(lookup.answered, exit)
      })
    const begin = Effect.suspend(() => {
      lookup.isStarted = true
      Deferred.doneUnsafe(lookup.started, Effect.void)
      return Effect.onExit(question, answer)
    })
    return places.withPermit(Effect.uninterruptible(begin))
  }

  const begun = Effect.fnUntraced(function* (name: Host.DomainName, options: Options | undefined) {
    const key = `${options?.family ?? "any"} ${name}`
    let lookup = underWay.get(key)
    if (lookup === undefined) {
      lookup = {
        started: Deferred.makeUnsafe(),
        answered: Deferred.makeUnsafe(),
        waiters: 0,
        isStarted: false,
        fiber: undefined
      }
      underWay.set(key, lookup)
      const question = Effect.suspend(() => resolver.resolve(name, options))
      lookup.fiber = yield* Effect.forkDetach(run(key, lookup, question), { startImmediately: true })
    }
    lookup.waiters++
    return { key, lookup }
  })

  const left = (key: string, lookup: Lookup) =>
    Effect.sync(() => {
      if (--lookup.waiters > 0 || lookup.isStarted) return
      underWay.delete(key)
      lookup.fiber?.interruptUnsafe()
    })

  const timedOut = (name: string) => () =>
    Effect.fail(
      new ResolveError({
        name,
        reason: new Reason.ResolverFailed({
          detail: "the name service did not answer in time",
          errno: "ETIMEOUT"
        })
      })
    )

  return {
    resolve: (name, options) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(begun(name, options), ({ key, lookup }) =>
          Deferred.await(lookup.started).pipe(
            Effect.andThen(
              Effect.timeoutOrElse(Deferred.await(lookup.answered), {
                duration: lookupTimeout,
                orElse: timedOut(name)
              })
            ),
            restore,
            Effect.ensuring(left(key, lookup))
          )
        )
      )
  }
}
