/** When a service that has failed is tried again. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { Failure } from "../result/Failure.ts"
import type { Member } from "./ServiceMember.ts"
import { report } from "./ServiceWaiting.ts"

/** 0.1, 0.2, 0.4, ... up to 30 seconds, each 20 percent less to 20 percent more by chance. */
const backoffDefault: Schedule.Schedule<unknown> = Schedule.exponential("100 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(30)))),
  Schedule.jittered
)

/** In milliseconds; undefined for never. */
export const nextDelay = (member: Member, { cause }: Failure<unknown>): Effect.Effect<number | undefined> =>
  Effect.gen(function* () {
    const { backoff = backoffDefault, backoffResetAfter = "10 seconds" } = member.service
    const ran = member.life?.up === true || member.groupUp ? member.uptime - member.runningSince : 0
    if (ran >= Duration.toMillis(Duration.fromInputUnsafe(backoffResetAfter))) {
      member.step = undefined
      member.restarts = 0
    }
    member.step ??= yield* Schedule.toStep(backoff)
    const next = yield* Pull.catchDone(member.step(member.now, cause), () => Effect.undefined)
    if (next === undefined) return undefined
    member.restarts++
    member.restartsTotal++
    return Duration.toMillis(next[1])
  }).pipe(
    // The schedule's own fault.
    Effect.catchCause((cause) => Effect.as(report(member, cause), undefined))
  )
