/** Who may ask something of a running tree, and when it is his turn. */
import * as Effect from "effect/Effect"
import { ServiceError } from "./ServiceError.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceReason from "./ServiceReason.ts"
import { turnsOf } from "./ServiceSupervision.ts"
import { CurrentAsking, type Operation, perform } from "./ServiceTurn.ts"
import { stopped } from "./ServiceWaiting.ts"

/** In the turn of its group; refused to who would wait for himself. */
export const inTurn = <A>(
  member: Member,
  group: Member | undefined,
  body: (operation: Operation) => Effect.Effect<A, ServiceError>,
  options: { readonly cancellable: boolean; readonly preempts?: boolean }
): Effect.Effect<A, ServiceError> =>
  Effect.flatMap(Effect.service(CurrentAsking), (asking) => {
    const { tree } = member
    const turns = turnsOf(group, tree)
    const fromWithin = asking !== undefined && asking.member.tree === tree
    if (fromWithin) {
      const { phase } = asking
      const state = asking.member.state.value._tag
      const isBusy = state === "Draining" || (phase === "start" && state === "Starting")
      const above = [tree.turn, ...[...asking.member.upwards()].map(({ turn }) => turn)]
      if (isBusy && turns.some((turn) => above.includes(turn))) {
        const reason = new ServiceReason.Reentrant({ by: asking.member.path })
        return Effect.fail(new ServiceError({ path: member.path, reason }))
      }
    }
    const { cancellable } = options
    const preempts = options.preempts === true ? member : undefined
    return perform(tree.context, turns, body, { cancellable, preempts, fromWithin })
  })

/** Why nothing can be started in its place. */
export const refusal = (member: Member): ServiceError | undefined => {
  const { parent, path, tree } = member
  if (member.removed) {
    const reason = new ServiceReason.NotFound({ name: member.name, suggestion: undefined })
    return new ServiceError({ path, reason })
  }
  if (tree.closed) return stopped(member, root(member))
  if (parent !== undefined && (!parent.isUp || parent.escalated)) return stopped(member, parent)
  return undefined
}

/** Of the tree that it is in. */
export const root = (member: Member): Member => [...member.upwards()].at(-1)!
