/** Services take a new configuration over, without a restart. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Failure from "../result/Failure.ts"
import { inTurn } from "./ServiceAsking.ts"
import { phaseContext } from "./ServiceContexts.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceReason from "./ServiceReason.ts"
import { type Operation, within } from "./ServiceTurn.ts"
import { awaitCode, isCancelled, report } from "./ServiceWaiting.ts"

/** It, and all that is in it, in order; the first failure is given, the others are reported. */
export const reload = (member: Member): Effect.Effect<void, ServiceError> =>
  inTurn(member, member.parent, (operation) => reloadAll(member, operation), { cancellable: true })

const reloadAll = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    if (!member.isUp || isCancelled(member, operation)) return Effect.void
    if (member.group === undefined) return reloadOne(member, operation)
    return member.turn.withPermits(1)(
      Effect.gen(function* () {
        let first: ServiceError | undefined
        for (const child of member.starts) {
          const result = yield* Effect.result(reloadAll(child, operation))
          if (result._tag === "Success") continue
          if (first === undefined) first = result.failure
          else yield* report(child, Cause.fail(result.failure))
        }
        if (first !== undefined) return yield* first
      })
    )
  })

const reloadOne = (member: Member, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    const { life, path, piece } = member
    if (life === undefined || piece?.reload === undefined) return Effect.void
    const { reload } = piece
    const code = within(
      Effect.suspend(() => reload(life.started)),
      phaseContext(member, "run", life)
    )
    return awaitCode(member, operation, "run", code).pipe(
      Effect.asVoid,
      Effect.mapError((error) => {
        const { reason } = error
        if (reason._tag === "Stopped") return error
        const failure = reason._tag === "StartFailed" ? reason.failure : Failure.fail(error)
        return new ServiceError({ path, reason: new ServiceReason.ReloadFailed({ failure }) })
      })
    )
  })
