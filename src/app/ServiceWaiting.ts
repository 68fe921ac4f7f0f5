/** Waiting for the code of a service, which may never end. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import * as Failure from "../result/Failure.ts"
import { annotations } from "./ServiceContexts.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceReason from "./ServiceReason.ts"
import type { Operation } from "./ServiceTurn.ts"

/** In the log of a service. Who is told may fail, and nobody else is to suffer from that. */
export const say = (member: Member, told: Effect.Effect<void>): Effect.Effect<void> =>
  told.pipe(
    Effect.annotateLogs(annotations(member)),
    Effect.catchCause(() => Effect.void)
  )

/** Tells of a failure that nobody waits for. */
export const report = (member: Member, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  say(member, UnhandledFailure.report({ cause, place: `service ${member.path}`, peer: undefined }))

/** What nobody waits for is not silent, whosever fault it is. */
export const inBackground = (member: Member, effect: Effect.Effect<void>): Effect.Effect<Fiber.Fiber<void>> =>
  Effect.forkDetach(
    Effect.catchCause(effect, (cause) => report(member, cause)),
    { startImmediately: true }
  )

export const stopped = (member: Member, by: Member = member): ServiceError =>
  new ServiceError({ path: member.path, reason: new ServiceReason.Stopped({ stopped: by.path }) })

/** Whether whoever has started it, or stops it, wants no start of it to go on. */
export const isCancelled = (member: Member, operation: Operation): boolean => {
  if (operation.cancelled || member.removed) return true
  for (const { cancels } of member.upwards()) if (cancels > 0) return true
  return false
}

const within = <A>(effect: Effect.Effect<A>, timeout: Duration.Duration): Effect.Effect<Option.Option<A>> =>
  Duration.isFinite(timeout) ? Effect.timeoutOption(effect, timeout) : Effect.map(effect, Option.some)

/**
 * Ends a service, or a part of it; waits for its `stopTimeout`, or until a group that it is in is out of time. Then that is
 * reported, and it is left behind.
 */
export const awaitEnd = (member: Member, work: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const told = Effect.catchCause(work, (cause) => report(member, cause))
    const fiber = yield* Effect.forkDetach(told, { startImmediately: true })
    if (fiber.pollUnsafe() !== undefined) return
    const hurries = [...member.upwards()].flatMap((above) => [...above.hurries]).map(Deferred.await)
    const end: Effect.Effect<unknown> = Fiber.await(fiber)
    const first = hurries.reduce((wait, hurry) => Effect.raceFirst(wait, hurry), end)
    yield* within(first, member.stopTimeout)
    if (fiber.pollUnsafe() !== undefined) return
    member.leftBehind.add(fiber)
    fiber.addObserver(() => member.leftBehind.delete(fiber))
    const reason = new ServiceReason.StopTimeout({ timeout: member.stopTimeout })
    yield* report(member, Cause.fail(new ServiceError({ path: member.path, reason })))
  })

/** Waits for what was left behind by an earlier stop. */
export const awaitLeftBehind = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    if (member.leftBehind.size === 0) return Effect.void
    const all = Effect.forEach([...member.leftBehind], (fiber) => Fiber.await(fiber), { discard: true })
    return Effect.asVoid(awaitCode(member, operation, "leftBehind", all))
  })

/**
 * Runs code of a service that is part of its start: for its `startTimeout`, and until the start is cancelled. Then it is
 * interrupted, and what it has acquired is in its scope.
 */
export const awaitCode = <A>(
  member: Member,
  operation: Operation,
  phase: ServiceReason.Phase | "leftBehind",
  code: Effect.Effect<A, unknown>
): Effect.Effect<A, ServiceError> =>
  Effect.gen(function* () {
    // Asked and made known in one operation: who cancels it finds it, or it finds that it is cancelled.
    const known = Effect.withFiber<A, unknown>((fiber) => {
      if (isCancelled(member, operation)) return Effect.interrupt
      member.starting = operation.current = fiber
      return code
    })
    const fiber = yield* Effect.forkDetach(known, { startImmediately: true })
    const ended = yield* within(Fiber.await(fiber), member.startTimeout)
    member.starting = operation.current = undefined
    if (Option.isSome(ended)) return yield* settled(member, operation, phase, ended.value)
    // It may not be interruptible.
    const interrupted = Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
    yield* awaitEnd(
      member,
      Effect.flatMap(interrupted, (exit) =>
        exit._tag === "Failure" ? report(member, exit.cause) : Effect.void
      )
    )
    const reason = new ServiceReason.StartTimeout({ phase, timeout: member.startTimeout })
    return yield* new ServiceError({ path: member.path, reason })
  })

const settled = <A>(
  member: Member,
  operation: Operation,
  phase: ServiceReason.Phase | "leftBehind",
  exit: Exit.Exit<A, unknown>
): Effect.Effect<A, ServiceError> => {
  if (exit._tag === "Success")
    return isCancelled(member, operation) ? stopped(member) : Effect.succeed(exit.value)
  if (isCancelled(member, operation)) {
    // What it died of meanwhile, nobody else will tell.
    return Effect.andThen(report(member, exit.cause), stopped(member))
  }
  const error = exit.cause.reasons.find(
    (reason) =>
      reason._tag === "Fail" && reason.error instanceof ServiceError && reason.error.path === member.path
  )
  if (error?._tag === "Fail") return Effect.fail(error.error as ServiceError)
  const failure = Failure.fromCause(exit.cause)
  const told = phase === "leftBehind" ? "start" : phase
  return Effect.fail(
    new ServiceError({ path: member.path, reason: new ServiceReason.StartFailed({ phase: told, failure }) })
  )
}
