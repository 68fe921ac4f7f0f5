/**
 * What a group does when one of its services has ended, or failed. Erlang's `supervisor`, with these differences:
 *
 * - There is a delay before each restart (`backoff`). Meanwhile the group's turn is free: others may fail, be started, be stopped.
 * - Services that need the one (`after`, or because it provides) stop before it is restarted, and start after, by any strategy.
 * - A `temporary` service that is stopped because of another is not started again, as in Erlang; it stays in the tree, and starts
 *   again with its group, or by hand.
 * - A restart that fails is a failure: it counts, and stops what the strategy says.
 * - An earlier service of `rest-for-one` that fails takes over what waits for a later one's next try: that is off.
 * - A group that has failed is left as it is until its parent sees to it, so that ports stay bound when it restarts it.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"
import * as Failure from "../result/Failure.ts"
import { nextDelay } from "./ServiceBackoff.ts"
import * as ServiceBranch from "./ServiceBranch.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Ending } from "./ServiceInstance.ts"
import * as ServiceIntensity from "./ServiceIntensity.ts"
import type { Retry } from "./ServiceLife.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceReason from "./ServiceReason.ts"
import { type Operation, perform } from "./ServiceTurn.ts"
import { inBackground, isCancelled, report, say } from "./ServiceWaiting.ts"

/**
 * The turns for what is done to services of a group: its own, and, where it gives things to siblings of its own, those of the
 * groups above, from the root downwards: what uses these things has to stop meanwhile.
 */
export const turnsOf = (
  group: Member | undefined,
  tree: Member["tree"]
): ReadonlyArray<Semaphore.Semaphore> => {
  if (group === undefined) return [tree.turn]
  const above = group.service.provides && group.parent !== undefined ? turnsOf(group.parent, tree) : []
  return [...above, group.turn]
}

// --- a service is gone --------------------------------------------------------------------------------------

/** One has ended, or failed (`failure`), by itself or when it was to be restarted. In the turn of its group. */
export const fallen = (
  member: Member,
  ended: Failure.Failure<unknown> | undefined,
  operation: Operation
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const group = member.parent
    if (group === undefined) return yield* rootFallen(member, ended)
    if (!group.isUp || group.escalated) return
    if (member.life !== undefined) member.life.told = true
    if (ended !== undefined) yield* report(member, ended.cause)
    const { restart } = member.service
    if (restart === "temporary" || (restart === "transient" && ended === undefined)) {
      member.ended = true
      member.failure = ended
      yield* stopAll(group, group.withDependents([member]), () => "Stop")
      return yield* reconcile(group, operation)
    }
    const failure = ended ?? fault(member, new ServiceReason.Ended())
    member.failure = failure
    const now = member.uptime
    const limit = limitOf(group)
    const window = ServiceIntensity.restarted(group.window, now, limit)
    const last = member.path
    if (window === undefined) {
      const { restarts } = limit
      const period = Duration.millis(limit.periodMillis)
      return yield* escalate(group, new ServiceReason.IntensityExceeded({ restarts, period, last, failure }))
    }
    group.window = window
    const delay = yield* nextDelay(member, failure)
    if (delay === undefined) return yield* escalate(group, new ServiceReason.GivenUp({ last, failure }))
    const pause = delay === 0 ? "at once" : `in ${Duration.format(Duration.millis(Math.round(delay)))}`
    yield* say(member, Effect.logInfo(`${last} is started again ${pause}`))
    yield* restartLater(group, member, now + delay)
  })

const limitOf = (group: Member): ServiceIntensity.Limit => {
  const { period = "5 seconds", restarts = 3 } = group.group?.intensity ?? {}
  return { restarts, periodMillis: Duration.toMillis(Duration.fromInputUnsafe(period)) }
}

const fault = (member: Member, reason: ServiceReason.ServiceReason): Failure.Failure<ServiceError> =>
  Failure.fail(new ServiceError({ path: member.path, reason }))

/** Stops what is to be restarted with it, and has all of that wait for its next try. */
const restartLater = (group: Member, member: Member, due: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const retry: Retry = { until: member.now + Math.max(0, due - member.uptime), timer: undefined }
    const chosen = strategic(group, member)
    const affected = group.withDependents(chosen)
    const others = affected.filter((other) => other !== member)
    const temporaries = others.filter((other) => isTemporary(other) && other.isUp)
    const waits = chosen.filter((other) => other !== member && !isTemporary(other) && other.isWanted)
    for (const other of temporaries) other.ended = true
    member.retry = retry
    yield* stopAll(group, affected, (other) => (temporaries.includes(other) ? "Stop" : "Restart"))
    // Its own group is being stopped.
    if (!group.isUp) return member.cancelRetry()
    for (const other of waits) other.heldBy = member
    const again = perform(
      member.tree.context,
      turnsOf(group, member.tree),
      (operation) =>
        Effect.suspend(() => (member.retry === retry ? tryAgain(member, operation) : Effect.void)),
      { cancellable: false }
    )
    const wait = Effect.suspend(() => Effect.sleep(Math.max(0, due - member.uptime)))
    // What is on its way then is not to be cut short by who takes the try off.
    retry.timer = yield* inBackground(
      member,
      Effect.andThen(wait, Effect.asVoid(inBackground(member, again)))
    )
    group.showWaiting()
  })

const isTemporary = (member: Member): boolean => member.service.restart === "temporary"

const strategic = (group: Member, member: Member): ReadonlyArray<Member> => {
  const { starts } = group
  switch (group.group?.strategy) {
    case "one-for-all":
      return starts
    case "rest-for-one":
      return starts.slice(starts.indexOf(member))
    default:
      return [member]
  }
}

const tryAgain = (member: Member, operation: Operation): Effect.Effect<void> =>
  Effect.suspend(() => {
    member.retry = undefined
    member.release()
    if (member.blockedBy !== undefined) {
      // Something it needs is gone meanwhile: it waits for that now.
      member.failure = undefined
      member.settle()
    }
    return member.parent === undefined ? Effect.void : reconcile(member.parent, operation)
  })

// --- stopping, and starting again -----------------------------------------------------------------------------

/**
 * Stops these services of a group, but one, in reverse; and first, in the groups above, what uses things that they provide.
 */
export const stopAll = (
  group: Member,
  members: ReadonlyArray<Member>,
  endingOf: (member: Member) => Ending,
  except?: Member
): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (members.some((member) => member.exports)) {
      const isFinal = members.every((member) => endingOf(member) === "Stop")
      yield* stopUsers(group, isFinal ? "Stop" : "Restart")
    }
    for (const member of members.toReversed()) {
      if (member !== except) yield* ServiceBranch.stop(member, endingOf(member))
    }
  })

/** Stops, in the groups above, what may use something that a group has in it. */
const stopUsers = (group: Member, ending: Ending): Effect.Effect<void> =>
  Effect.gen(function* () {
    const above = group.parent
    if (above === undefined) return
    if (group.exports) yield* stopUsers(above, ending)
    for (const member of above.withDependents([group]).toReversed()) {
      if (member !== group) yield* ServiceBranch.stop(member, ending)
    }
  })

/** Starts what is to run, does not, and can; in this group, and in those above that have waited for something in it. */
export const reconcile = (group: Member, operation: Operation): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const member of group.starts) {
      if (!group.isUp || group.escalated) return
      const isIdle = !member.isUp && member.life === undefined && member.retry === undefined
      if (!isIdle || !member.isWanted || member.blockedBy !== undefined) continue
      const error = yield* tryStart(member, operation)
      if (error !== undefined) yield* fallen(member, Failure.fail(error), operation)
    }
    group.showWaiting()
    const { parent, tree } = group
    if (!group.service.provides || parent?.isUp !== true || !group.isComplete) return
    // Not in this turn: a failure there may stop this group, which needs the turn for that.
    const above = perform(tree.context, turnsOf(parent, tree), (next) => reconcile(parent, next), {
      cancellable: false
    })
    operation.sequels.push(yield* inBackground(group, above))
  })

/** Why it does not start; undefined when it has, or is not to any more. */
const tryStart = (member: Member, operation: Operation): Effect.Effect<ServiceError | undefined> =>
  Effect.suspend(() => {
    if (isCancelled(member, operation)) return Effect.undefined
    return Effect.match(ServiceBranch.start(member, operation, "Restart"), {
      onSuccess: () => undefined,
      onFailure: (error) => (error.reason._tag === "Stopped" ? undefined : error)
    })
  })

// --- the group itself has failed ------------------------------------------------------------------------------

const escalate = (group: Member, reason: ServiceReason.ServiceReason): Effect.Effect<void> =>
  Effect.suspend(() => {
    group.escalated = true
    const failure = fault(group, reason)
    const { parent, tree } = group
    const judged = perform(
      tree.context,
      turnsOf(parent, tree),
      (operation) =>
        Effect.suspend(() =>
          group.escalated && group.isUp ? fallen(group, failure, operation) : Effect.void
        ),
      { cancellable: false }
    )
    // The parent stops this group, and needs its turn for that.
    return Effect.asVoid(inBackground(group, judged))
  })

const rootFallen = (root: Member, failure: Failure.Failure<unknown> | undefined): Effect.Effect<void> =>
  Effect.gen(function* () {
    root.failure = failure
    yield* ServiceBranch.stop(root, "Stop")
    failTree(root)
  })

/** The whole tree has failed, as its root has. */
export const failTree = (root: Member): void => {
  const error = root.failure === undefined ? undefined : Failure.squash(root.failure)
  if (error instanceof ServiceError) Deferred.doneUnsafe(root.tree.failed, Effect.fail(error))
}
