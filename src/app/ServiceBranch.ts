/** Starting and stopping a service with all that is in it. Whoever does it has the turn of its group. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Failure from "../result/Failure.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Ending } from "./ServiceInstance.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServicePiece from "./ServicePiece.ts"
import * as ServiceReason from "./ServiceReason.ts"
import type { Operation } from "./ServiceTurn.ts"
import { isCancelled, stopped } from "./ServiceWaiting.ts"

/** The first phase of it, and of all that is to run in it. `ending`: what becomes of it when that fails. */
export const bind = (
  member: Member,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> => {
  const { piece } = member
  const bound =
    piece === undefined
      ? Effect.suspend(() => {
          member.enter({ _tag: "Starting", since: member.now })
          return member.turn.withPermits(1)(bindChildren(member, operation, ending))
        })
      : ServicePiece.bind(member, piece, operation)
  return Effect.tapError(bound, () => stop(member, ending))
}

const bindChildren = (
  member: Member,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> =>
  Effect.gen(function* () {
    for (const child of member.starts) if (child.willRun) yield* bind(child, operation, ending)
  }).pipe(Effect.tapError(() => stopChildren(member, ending)))

/**
 * Starts it, both phases, with all that is to run in it. When that fails, what had started of it is stopped, in reverse; and what
 * was bound is released, unless it is to be restarted (`ending`).
 */
export const start = (
  member: Member,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> => {
  const { piece } = member
  const started =
    piece === undefined
      ? member.turn.withPermits(1)(startGroup(member, operation, ending))
      : ServicePiece.start(member, piece, operation, ending)
  return orStop(member, ending, started)
}

/** Stops and starts it, in one turn: who waits for that finds it started. */
export const restart = (
  member: Member,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> => {
  if (member.group === undefined) {
    return Effect.andThen(stop(member, "Restart"), start(member, operation, ending))
  }
  const restarted = Effect.gen(function* () {
    beginStop(member, "Restart")
    yield* stopInTime(member, "Restart")
    yield* startGroup(member, operation, ending)
  })
  return orStop(member, ending, member.turn.withPermits(1)(restarted))
}

const orStop = (
  member: Member,
  ending: Ending,
  started: Effect.Effect<void, ServiceError>
): Effect.Effect<void, ServiceError> =>
  Effect.tapError(started, (error) => {
    if (member.group !== undefined && error.reason._tag !== "Stopped") member.failure = Failure.fail(error)
    return stop(member, ending)
  })

/** In the group's turn. */
const startGroup = (
  member: Member,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> =>
  inTime(
    member,
    Effect.gen(function* () {
      member.failure = undefined
      member.escalated = false
      member.window = []
      for (const child of member.children) renew(child)
      member.enter({ _tag: "Starting", since: member.now })
      yield* bindChildren(member, operation, ending)
      for (const child of member.starts) {
        if (!child.isWanted) continue
        if (isCancelled(member, operation)) return yield* stopped(member)
        // What it needs was stopped by hand, or has failed meanwhile.
        if (child.blockedBy !== undefined) yield* stop(child, "Restart")
        else yield* start(child, operation, ending)
      }
      if (isCancelled(member, operation)) return yield* stopped(member)
      member.groupUp = true
      member.runningSince = member.uptime
      member.enter({ _tag: "Running", since: member.now, ready: true })
      member.showWaiting()
      member.review()
    }).pipe(Effect.tapError(() => stopChildren(member, ending)))
  )

/** It begins as if it had never failed. */
const renew = (member: Member): void => {
  member.cancelRetry()
  member.ended = false
  member.heldBy = undefined
  member.restarts = 0
  member.step = undefined
}

/** A group that has a `startTimeout`. */
const inTime = (
  member: Member,
  started: Effect.Effect<void, ServiceError>
): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    const { path, startTimeout } = member
    if (!Duration.isFinite(startTimeout)) return started
    let over = false
    const alarm = Effect.andThen(
      Effect.sleep(startTimeout),
      Effect.sync(() => {
        over = true
        member.cancels++
        member.cancelStart()
      })
    )
    return Effect.gen(function* () {
      const timer = yield* Effect.forkDetach(alarm, { startImmediately: true })
      const exit = yield* Effect.exit(started)
      yield* Fiber.interrupt(timer)
      if (!over) return yield* exit
      member.cancels--
      if (Exit.isSuccess(exit)) return
      const reason = new ServiceReason.StartTimeout({ phase: "start", timeout: startTimeout })
      return yield* new ServiceError({ path, reason })
    })
  })

/** Stops it, with all that is in it, in reverse. What was bound stays so when it is to be restarted. */
export const stop = (member: Member, ending: Ending): Effect.Effect<void> => {
  if (member.group !== undefined) return stopGroup(member, ending)
  return Effect.gen(function* () {
    forget(member)
    const exit = member.failure === undefined ? Exit.void : Exit.failCause(member.failure.cause)
    // It is known before the second phase ends that the first will, too.
    if (ending === "Stop" && member.binding !== undefined) {
      Deferred.doneUnsafe(member.binding.ending, Effect.succeed("Stop"))
    }
    yield* ServicePiece.end(member, ending, exit)
    if (ending === "Stop") yield* ServicePiece.unbind(member, exit)
    rest(member)
  })
}

const stopGroup = (member: Member, ending: Ending): Effect.Effect<void> =>
  Effect.suspend(() => {
    // What is under way in it need not go on.
    beginStop(member, ending)
    member.cancels++
    member.cancelStart()
    const stopping = Effect.andThen(
      stopInTime(member, ending),
      Effect.sync(() => member.cancels--)
    )
    return Effect.asVoid(member.turn.withPermits(1)(stopping))
  })

const beginStop = (member: Member, ending: Ending): void => {
  forget(member)
  member.groupUp = false
  if (!isAtRest(member)) member.enter({ _tag: "Draining", since: member.now, ending })
}

/** In the group's turn; when its `stopTimeout` is over, nothing in it is waited for any more. */
const stopInTime = (member: Member, ending: Ending): Effect.Effect<void> =>
  Effect.gen(function* () {
    const hurry = Deferred.makeUnsafe<void>()
    member.hurries.add(hurry)
    const alarm = Effect.andThen(Effect.sleep(member.stopTimeout), Deferred.succeed(hurry, undefined))
    const timer = Duration.isFinite(member.stopTimeout)
      ? yield* Effect.forkDetach(alarm, { startImmediately: true })
      : undefined
    yield* stopChildren(member, ending)
    if (timer !== undefined) yield* Fiber.interrupt(timer)
    member.hurries.delete(hurry)
    rest(member)
  })

/** What it was to wait for. */
const forget = (member: Member): void => {
  member.heldBy = undefined
  if (member.retry?.timer === undefined) return
  member.cancelRetry()
  member.failure = undefined
}

const stopChildren = (member: Member, ending: Ending): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach([...member.starts].reverse(), (child) => stop(child, ending), { discard: true })
  )

const isAtRest = ({ failure, retry, state: { value } }: Member): boolean =>
  (value._tag === "Stopped" && value.waitingFor === undefined) ||
  (value._tag === "Failed" && value.failure === failure && retry === undefined)

const rest = (member: Member): void => {
  if (!isAtRest(member)) member.settle()
}
