/** Services that come into a running tree, and leave it. */
import * as Effect from "effect/Effect"
import { inTurn, root } from "./ServiceAsking.ts"
import * as ServiceBranch from "./ServiceBranch.ts"
import { stopNow } from "./ServiceCommand.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceReason from "./ServiceReason.ts"
import type { Operation } from "./ServiceTurn.ts"
import { stopped } from "./ServiceWaiting.ts"

/** Puts a new member into a group, and starts it if the group runs; gives up on it when it does not start. */
export const add = (
  group: Member,
  make: () => Effect.Effect<Member, ServiceError>
): Effect.Effect<Member, ServiceError> =>
  inTurn(
    group,
    group,
    (operation) =>
      Effect.gen(function* () {
        if (group.tree.closed || group.removed) return yield* stopped(group, root(group))
        const before = { children: group.children, order: group.order }
        const member = yield* make()
        if (!group.isUp || group.escalated) return member
        if (member.blockedBy !== undefined) {
          // It starts with what it needs.
          member.settle()
          return member
        }
        return yield* ServiceBranch.start(member, operation, "Stop").pipe(
          Effect.as(member),
          Effect.tapError(() =>
            Effect.sync(() => {
              member.removed = true
              group.children = before.children
              group.order = before.order
              group.review()
            })
          )
        )
      }),
    { cancellable: true }
  )

/** Who needs it, in its group and in those above. */
const usersOf = (group: Member, member: Member): ReadonlyArray<Member> => {
  const users = group.withDependents([member]).filter((other) => other !== member)
  const isUsedAbove = member.exports || users.some((other) => other.exports)
  return group.parent === undefined || !isUsedAbove ? users : [...users, ...usersOf(group.parent, group)]
}

export const remove = (
  group: Member,
  member: Member,
  take: () => Effect.Effect<void, ServiceError>
): Effect.Effect<void, ServiceError> => {
  const refused = Effect.suspend(() => {
    const by = usersOf(group, member).map(({ path }) => path)
    if (by.length === 0) return Effect.void
    return Effect.fail(new ServiceError({ path: member.path, reason: new ServiceReason.InUse({ by }) }))
  })
  const removed = (operation: Operation) =>
    Effect.gen(function* () {
      if (member.removed) return
      yield* refused
      yield* stopNow(member, operation)
      member.removed = true
      yield* take()
      group.showWaiting()
      group.review()
    })
  return Effect.andThen(refused, inTurn(member, group, removed, { cancellable: false, preempts: true }))
}
