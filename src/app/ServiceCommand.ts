/** Start, stop and restart, asked of a running tree: each in its turn. */
import * as Effect from "effect/Effect"
import * as Failure from "../result/Failure.ts"
import { inTurn, refusal } from "./ServiceAsking.ts"
import * as ServiceBranch from "./ServiceBranch.ts"
import type { ServiceError } from "./ServiceError.ts"
import type { Member } from "./ServiceMember.ts"
import { failTree, fallen, reconcile, stopAll } from "./ServiceSupervision.ts"
import type { Operation } from "./ServiceTurn.ts"
import { stopped } from "./ServiceWaiting.ts"

// --- start ------------------------------------------------------------------------------------------------

export const start = (member: Member): Effect.Effect<void, ServiceError> =>
  inTurn(member, member.parent, (operation) => startNow(member, operation), { cancellable: true })

const startNow = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.gen(function* () {
    const refused = refusal(member)
    if (refused !== undefined) return yield* refused
    const { parent } = member
    if (parent === undefined) {
      if (!member.isUp) yield* startHere(member, operation)
      return
    }
    const begun: Array<Member> = []
    for (const needed of parent.withDependencies([member])) {
      if (needed.isUp) continue
      const wasEnabled = needed.enabled
      const isTried = needed.retry !== undefined || needed.heldBy !== undefined
      // One that has ended by itself, and was not seen to yet.
      if (needed.life !== undefined) yield* stopAll(parent, parent.withDependents([needed]), () => "Restart")
      needed.cancelRetry()
      needed.heldBy = undefined
      const started =
        needed.blockedBy === undefined ? startHere(needed, operation) : stopped(needed, needed.blockedBy)
      const exit = yield* Effect.exit(started)
      if (exit._tag === "Success") {
        begun.push(needed)
        continue
      }
      yield* stopAll(parent, begun, () => "Stop")
      for (const other of begun) other.enabled = false
      if (isTried && needed.failure !== undefined) {
        yield* fallen(needed, needed.failure, operation)
        yield* reconcile(parent, operation)
      } else {
        needed.ended = true
        needed.enabled = wasEnabled
      }
      return yield* exit
    }
    yield* reconcile(parent, operation)
  })

/** It, and whatever in it was stopped by hand. When it fails, nothing is tried again. */
const startHere = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    for (const below of member.downwards()) below.enabled = true
    member.ended = false
    member.restarts = 0
    member.step = undefined
    return ServiceBranch.start(member, operation, "Stop")
  })

// --- stop -------------------------------------------------------------------------------------------------

export const stop = (member: Member): Effect.Effect<void, ServiceError> =>
  inTurn(member, member.parent, (operation) => stopNow(member, operation), {
    cancellable: false,
    preempts: true
  })

export const stopNow = (member: Member, operation: Operation): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { parent } = member
    if (parent === undefined) return yield* ServiceBranch.stop(member, "Stop")
    member.enabled = false
    member.failure = undefined
    member.cancelRetry()
    yield* stopAll(parent, parent.withDependents([member]), () => "Stop")
    if (member.state.value._tag !== "Stopped") member.settle()
    yield* reconcile(parent, operation)
  })

// --- restart ----------------------------------------------------------------------------------------------

export const restart = (member: Member): Effect.Effect<void, ServiceError> =>
  inTurn(member, member.parent, (operation) => restartNow(member, operation), { cancellable: false })

const restartNow = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.gen(function* () {
    const refused = refusal(member)
    if (refused !== undefined) return yield* refused
    const { parent } = member
    if (parent === undefined) {
      return yield* Effect.tapError(ServiceBranch.restart(member, operation, "Stop"), () =>
        Effect.sync(() => failTree(member))
      )
    }
    yield* stopAll(parent, parent.withDependents([member]), () => "Restart", member)
    member.enabled = true
    member.ended = false
    // What it needs does not run: it is started with that. What is tried again now goes on being tried.
    if (!member.dependencies.every(({ isComplete }) => isComplete)) return yield* startNow(member, operation)
    member.cancelRetry()
    member.heldBy = undefined
    const error = yield* Effect.match(ServiceBranch.restart(member, operation, "Restart"), {
      onSuccess: () => undefined,
      onFailure: (error) => error
    })
    if (error !== undefined && error.reason._tag !== "Stopped") {
      yield* fallen(member, Failure.fail(error), operation)
    }
    yield* reconcile(parent, operation)
    if (error !== undefined) return yield* error
  })
