/**
 * Checkers behind a limit of failed logins: who guesses is not even asked any more, for a while. Twisted has none.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { LoginLimit, MemoryUsers } from "spindle/auth"
 *
 * const users = Effect.gen(function* () {
 *   const limit = yield* LoginLimit.make({ perUserAndPeer: { failuresMax: 3, window: "5 minutes" } })
 *   return limit.over(yield* MemoryUsers.checker({ alice: "secret" }))
 * })
 * ```
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { uptimeMillis } from "../reactor/uptime.ts"
import type * as Checker from "./Checker.ts"
import type { Credentials } from "./Credentials.ts"
import { FailureTable } from "./FailureTable.ts"
import { LoginError, TooManyFailures } from "./LoginError.ts"
import * as Visitor from "./Visitor.ts"

export interface Allowance {
  readonly failuresMax: number
  /** In which so many are allowed at once; they come back one by one. */
  readonly window: Duration.Input
}

export interface Options {
  /** One name from one peer. Default: 5 in 15 minutes. */
  readonly perUserAndPeer?: Allowance | "unlimited" | undefined
  /** One peer, whatever the names. Default: 50 in 15 minutes. */
  readonly perPeer?: Allowance | "unlimited" | undefined
  /** One name from everywhere: above the others, since it locks its owner out, too. Default: 100 in 15 minutes. */
  readonly perUser?: Allowance | "unlimited" | undefined
  /** How many names, peers, and pairs are remembered; those that failed longest ago are forgotten first. Default: 10,000 each. */
  readonly keysMax?: number | undefined
}

export interface LoginLimit {
  /** A checker behind this limit, which several can share. */
  readonly over: <C extends Credentials>(checker: Checker.Checker<C>) => Checker.Checker<C>
}

const window = "15 minutes"

interface Rule {
  readonly table: FailureTable
  /** `undefined`: it does not apply. */
  readonly keyOf: (user: string | undefined, peer: string | undefined) => string | undefined
  /** Whether a success makes up for the failures. One's own account must not, for those of other names. */
  readonly forgives: boolean
}

/** Throws a `RangeError` for an allowance that is none. */
export const make = (options: Options = {}): Effect.Effect<LoginLimit> =>
  Effect.map(Clock.Clock, (clock) => {
    const rules = rulesOf(options)
    return {
      over: <C extends Credentials>(checker: Checker.Checker<C>): Checker.Checker<C> => ({
        ...checker,
        check: (credentials) => limited(checker, credentials, rules, clock)
      })
    }
  })

const rulesOf = ({
  keysMax = 10_000,
  perPeer = { failuresMax: 50, window },
  perUser = { failuresMax: 100, window },
  perUserAndPeer = { failuresMax: 5, window }
}: Options): ReadonlyArray<Rule> => {
  const rule = (
    allowance: Allowance | "unlimited",
    forgives: boolean,
    keyOf: Rule["keyOf"]
  ): ReadonlyArray<Rule> => {
    if (allowance === "unlimited") return []
    const { failuresMax } = allowance
    const windowMillis = Duration.toMillis(Duration.fromInputUnsafe(allowance.window))
    if (!(failuresMax >= 1 && windowMillis > 0 && Number.isFinite(windowMillis))) {
      throw new RangeError(`${failuresMax} failures in ${windowMillis} ms are no limit`)
    }
    return [{ table: new FailureTable({ failuresMax, windowMillis }, keysMax), forgives, keyOf }]
  }
  return [
    ...rule(perUserAndPeer, true, (user, peer) =>
      user === undefined ? undefined : `${peer ?? ""}\0${user}`
    ),
    ...rule(perPeer, false, (_, peer) => peer),
    ...rule(perUser, false, (user) => user)
  ]
}

/** The name that credentials say, of a length that can be remembered. */
const userOf = (credentials: Credentials): string | undefined => {
  const name: unknown = (credentials as { readonly username?: unknown }).username
  return typeof name === "string" ? name.slice(0, 256).toLowerCase() : undefined
}

const limited = <C extends Credentials>(
  checker: Checker.Checker<C>,
  credentials: C,
  rules: ReadonlyArray<Rule>,
  clock: Clock.Clock
) =>
  Effect.flatMap(Visitor.Current, ({ peer }) => {
    const user = userOf(credentials)
    const now = uptimeMillis(clock)
    const applied = rules.flatMap((rule) => {
      const key = rule.keyOf(user, peer)
      return key === undefined ? [] : [{ ...rule, key }]
    })
    const wait = Math.max(0, ...applied.map(({ key, table }) => table.wait(key, now)))
    if (wait > 0) {
      return Effect.fail(
        new LoginError({ reason: new TooManyFailures({ retryAfter: Duration.millis(Math.ceil(wait)) }) })
      )
    }
    // It counts before it is known, or a thousand guesses at once would be one. Who hangs up has failed.
    for (const { key, table } of applied) table.add(key, now)
    const takeBack = (success: boolean) => {
      const after = uptimeMillis(clock)
      for (const { forgives, key, table } of applied) {
        if (success && forgives) table.forget(key)
        else table.takeBack(key, after)
      }
    }
    return checker.check(credentials).pipe(
      Effect.tap(() => Effect.sync(() => takeBack(true))),
      Effect.tapError(({ reason }) =>
        Effect.sync(() => {
          if (reason._tag !== "Unauthorized") takeBack(false)
        })
      )
    )
  })
