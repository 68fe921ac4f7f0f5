/**
 * Which of a name's addresses answers first: Happy Eyeballs (RFC 8305), over any effect that tries one address. Twisted:
 * `HostnameEndpoint`.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import type { ConnectAttempt, ConnectReason } from "./ReactorError.ts"

export interface Options<in A> {
  /** From one attempt to the next, while none has failed. Default 250 milliseconds (RFC 8305 §8); at least 10. */
  readonly attemptDelay?: Duration.Input | undefined
  /** Closes what an attempt made that did not win. */
  readonly discard: (made: A) => Effect.Effect<void>
}

const attemptDelayDefault = 250
/** RFC 8305 §5: "MUST NOT be less than 10 milliseconds". */
const attemptDelayMin = 10

/**
 * The addresses in the order to try them: families take turns, beginning with that of the first one, each in its own order
 * (RFC 8305 §4, with a "First Address Family Count" of 1). Duplicates are dropped; so are link-local IPv6 addresses
 * without a zone, which lead nowhere, unless there are no others.
 */
export const order = (
  addresses: Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>
): Arr.NonEmptyReadonlyArray<NetAddress.IpAddress> => {
  if (addresses.length === 1) return addresses
  const usable = addresses.filter((address) => !isUseless(address))
  const all = Arr.dedupe(Arr.isReadonlyArrayNonEmpty(usable) ? usable : addresses)
  const preferred = all.filter((address) => address._tag === all[0]._tag)
  const others = all.filter((address) => address._tag !== all[0]._tag)
  const ordered = Arr.range(0, Math.max(preferred.length, others.length) - 1).flatMap((i) => [
    ...preferred.slice(i, i + 1),
    ...others.slice(i, i + 1)
  ])
  return Arr.isReadonlyArrayNonEmpty(ordered) ? ordered : all
}

const isUseless = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isIpv6Address(address) && NetAddress.isLinkLocal(address)

/**
 * Tries the addresses one by one, each a little later than the one before, the next at once when one fails. The first
 * success wins: the other attempts are interrupted, and are over when it is told. If all fail, it is with the first
 * failure. A defect, or an attempt that interrupts itself, ends it all.
 *
 * An attempt that is interrupted must leave nothing behind, not even when it was about to succeed. One address costs
 * nothing but its attempt.
 */
export const race = <Address, A, E, R>(
  addresses: Arr.NonEmptyReadonlyArray<Address>,
  attempt: (address: Address) => Effect.Effect<A, E, R>,
  options: Options<A>
): Effect.Effect<A, E, R> =>
  addresses.length === 1 ? attempt(addresses[0]) : raceAll(addresses, attempt, options)

const raceAll = <Address, A, E, R>(
  addresses: Arr.NonEmptyReadonlyArray<Address>,
  attempt: (address: Address) => Effect.Effect<A, E, R>,
  { attemptDelay = attemptDelayDefault, discard }: Options<A>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore): Effect.fn.Return<A, E, R> {
      const delay = Math.max(attemptDelayMin, Duration.toMillis(attemptDelay))
      const race = new Race<A, E>(discard)
      const orAbandon = (waiting: Effect.Effect<void>) => Effect.onError(restore(waiting), () => race.abandon)

      let left = addresses.length
      for (const address of addresses) {
        race.add(yield* Effect.forkChild(attempt(address), { startImmediately: true }))
        if (--left === 0 || race.isDecided) break
        yield* orAbandon(Effect.raceFirst(race.news, Effect.sleep(delay)))
        if (race.isDecided) break
      }
      while (!race.isDecided && race.isRunning) yield* orAbandon(race.news)

      yield* race.stop
      // Given up while the others were ending: nobody would get what was made.
      yield* orAbandon(Effect.void)
      return yield* race.result
    })
  )

/** The attempts under way, and what came of the others. */
class Race<A, E> {
  private readonly discard: Options<A>["discard"]
  private readonly running = new Set<Fiber.Fiber<A, E>>()
  private winner: { readonly made: A } | undefined = undefined
  /** The first one, or the one that ended it all. */
  private cause: Cause.Cause<E> | undefined = undefined
  /** Failures that brought no attempt forward yet. */
  private failures = 0
  private isBroken = false
  private surplus: Array<A> = []
  private wake: (() => void) | undefined = undefined

  constructor(discard: Options<A>["discard"]) {
    this.discard = discard
  }

  get isDecided(): boolean {
    return this.winner !== undefined || this.isBroken
  }

  get isRunning(): boolean {
    return this.running.size > 0
  }

  add(fiber: Fiber.Fiber<A, E>): void {
    this.running.add(fiber)
    fiber.addObserver((exit) => {
      this.running.delete(fiber)
      this.ended(exit)
      if (this.isNews) this.wake?.()
    })
  }

  private ended(exit: Exit.Exit<A, E>): void {
    if (Exit.isSuccess(exit)) {
      if (this.isDecided) this.surplus.push(exit.value)
      else this.winner = { made: exit.value }
    } else if (!this.isDecided) {
      this.failures++
      this.isBroken = !Cause.hasFails(exit.cause)
      if (this.isBroken) this.cause = exit.cause
      else this.cause ??= exit.cause
    }
  }

  private get isNews(): boolean {
    return this.isDecided || this.failures > 0
  }

  /** Until it is decided, or one more attempt has failed. */
  readonly news: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.wake = () => {
      this.wake = undefined
      this.failures--
      resume(Effect.void)
    }
    if (this.isNews) this.wake()
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  /** Ends what is still under way, and closes what it made all the same. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(
      Fiber.interruptAll([...this.running]),
      Effect.suspend(() => Effect.forEach(this.surplus.splice(0), this.discard, { discard: true }))
    )
  )

  /** Ends everything, the winner too. */
  readonly abandon: Effect.Effect<void> = Effect.andThen(
    this.stop,
    Effect.suspend(() => (this.winner === undefined ? Effect.void : this.discard(this.winner.made)))
  )

  get result(): Effect.Effect<A, E> {
    return this.winner === undefined ? Effect.failCause(this.cause!) : Effect.succeed(this.winner.made)
  }
}

/** Which addresses were tried, and what came of each: all that there is to tell when a deadline ends it. */
export class Tried {
  readonly attempts: Array<ConnectAttempt> = []

  /** `effect` as an attempt at the address. */
  readonly at = <A, R>(
    address: NetAddress.InetAddress,
    effect: Effect.Effect<A, ConnectReason, R>
  ): Effect.Effect<A, ConnectReason, R> =>
    Effect.suspend(() => {
      this.attempts.push({ address, reason: undefined })
      return Effect.tapError(effect, (reason) => Effect.sync(() => this.failed(address, reason)))
    })

  /** The attempt at this very address came to nothing. */
  failed(address: NetAddress.InetAddress, reason: ConnectReason): void {
    const index = this.attempts.findIndex((attempt) => attempt.address === address)
    if (index >= 0) this.attempts[index] = { address, reason }
  }
}
