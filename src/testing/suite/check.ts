/** What the suites' cases say: expectations that fail with a sentence, and waiting that never sleeps. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { ListenError, TransportError, type TransportReason } from "../../reactor/ReactorError.ts"
import type { Transport } from "../../reactor/Transport.ts"

/** The subject broke the contract. */
export class CheckFailed extends Data.TaggedError("CheckFailed")<{ readonly message: string }> {}

const fail = (message: string): never => {
  throw new CheckFailed({ message })
}

export const that: (condition: boolean, message: string) => asserts condition = (condition, message) => {
  if (!condition) fail(message)
}

export const equal = <A>(actual: A, expected: A, what: string): void => {
  if (actual !== expected) fail(`${what}: expected ${String(expected)}, got ${String(actual)}`)
}

const show = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit)
    ? Cause.pretty(exit.cause)
    : exit.value instanceof Uint8Array
      ? `success (${exit.value.length} bytes)`
      : `success (${String(exit.value)})`

/** The typed failure of `effect`. */
export const failureOf = <E, R>(
  effect: Effect.Effect<unknown, E, R>,
  what: string
): Effect.Effect<E, never, R> => Effect.map(Effect.exit(effect), (exit) => errorOf(exit, what))

export const errorOf = <E>(exit: Exit.Exit<unknown, E>, what: string): E => {
  if (Exit.isSuccess(exit)) return fail(`${what}: expected a failure, got ${show(exit)}`)
  const found = Cause.findError(exit.cause)
  return Result.isSuccess(found)
    ? found.success
    : fail(`${what}: expected a typed failure, got ${show(exit)}`)
}

/** The reason of a `TransportError`, which must be one of `tags`. */
export const reasonOf = (
  error: unknown,
  tags: ReadonlyArray<TransportReason["_tag"]>,
  what: string
): TransportReason => {
  if (Cause.isDone(error)) return fail(`${what}: expected ${tags.join(" or ")}, got a clean end (Done)`)
  if (!(error instanceof TransportError))
    return fail(`${what}: expected a TransportError, got ${String(error)}`)
  that(
    tags.includes(error.reason._tag),
    `${what}: expected ${tags.join(" or ")}, got ${error.reason._tag} (${error.message})`
  )
  return error.reason
}

/** `effect` fails with a `TransportError` of that reason. */
export const failsWith = <R>(
  effect: Effect.Effect<unknown, unknown, R>,
  tag: TransportReason["_tag"],
  what: string
): Effect.Effect<TransportReason, never, R> =>
  Effect.map(failureOf(effect, what), (error) => reasonOf(error, [tag], what))

/** `effect` fails with `Cause.Done`. */
export const isDone = <R>(
  effect: Effect.Effect<unknown, unknown, R>,
  what: string
): Effect.Effect<void, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const found = Exit.isSuccess(exit) ? undefined : Cause.findError(exit.cause)
    that(
      found !== undefined && Result.isSuccess(found) && Cause.isDone(found.success),
      `${what}: expected a clean end (Done), got ${show(exit)}`
    )
  })

/** Every operation on a lost connection names the same reason. */
export const allSay = (transport: Transport, tag: "Reset" | "Aborted") =>
  Effect.gen(function* () {
    const reason = yield* failsWith(transport.receive, tag, "receive")
    const operations: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
      ["receive again", transport.receive],
      ["receiveEach", transport.receiveEach(() => Effect.void)],
      ["send", transport.send("x")],
      ["end", transport.end],
      ["closed", transport.closed]
    ]
    for (const [what, operation] of operations) {
      equal(yield* failsWith(operation, tag, what), reason, `the reason that ${what} names`)
    }
  })

/** `effect` fails with a `ListenError` of that reason. */
export const listenFails = <R>(effect: Effect.Effect<unknown, unknown, R>, tag: string, what: string) =>
  Effect.map(failureOf(effect, what), (error) => {
    that(error instanceof ListenError, `${what}: expected a ListenError, got ${String(error)}`)
    equal<string>(error.reason._tag, tag, `${what}: the reason`)
    return error
  })

// --- waiting --------------------------------------------------------------------------------------------

/** One turn of the event loop. */
export const turn: Effect.Effect<void> = Effect.yieldNow

export const turns = Effect.fnUntraced(function* (count: number) {
  for (let i = 0; i < count; i++) yield* turn
})

/** Goes on when `condition` holds. */
export const until = (condition: () => boolean, what: string): Effect.Effect<void, CheckFailed> =>
  Effect.gen(function* () {
    while (!condition()) yield* turn
  }).pipe(
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.fail(new CheckFailed({ message: `waited in vain: ${what}` }))
    })
  )

const quietTurns = 300

/** Goes on when `value` has not changed for a while: what was moving has come to rest. */
export const quiet = Effect.fnUntraced(function* (value: () => number) {
  let last = value()
  for (let still = 0; still < quietTurns; still++) {
    yield* turn
    const now = value()
    if (now === last) continue
    last = now
    still = 0
  }
})

export const isPending = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() === undefined
