/** A tree of services at one moment, as plain JSON: for `spindle status`. */
import * as Effect from "effect/Effect"
import * as Failure from "../result/Failure.ts"
import type { FailureJson } from "../result/FailureJson.ts"
import { phaseContext } from "./ServiceContexts.ts"
import type { Member } from "./ServiceMember.ts"
import * as ServiceState from "./ServiceState.ts"
import { within } from "./ServiceTurn.ts"

export interface Snapshot {
  readonly name: string
  readonly path: string
  readonly description: string
  readonly kind: "service" | "group"
  readonly restart: string
  readonly state: StateSnapshot
  readonly ready: boolean
  readonly live: boolean
  /** Supervised restarts since the tree began. */
  readonly restarts: number
  /** What it tells of itself, where it does. */
  readonly details?: unknown
  readonly children: ReadonlyArray<Snapshot>
}

/** A state; times are in milliseconds of the epoch. */
export interface StateSnapshot {
  readonly _tag: string
  readonly since: number
  readonly until?: number
  readonly waitingFor?: string
  readonly ending?: string
  readonly restarts?: number
  /** Its message, on one line, and what `Failure.toJson` tells. */
  readonly failure?: { readonly message: string; readonly json: FailureJson }
}

export const make = (member: Member): Effect.Effect<Snapshot> =>
  Effect.gen(function* () {
    const { name, path, service } = member
    const details = yield* detailsOf(member)
    return {
      name,
      path,
      description: service.description,
      kind: member.group === undefined ? "service" : "group",
      restart: service.restart,
      state: ofState(member.state.value),
      ready: ServiceState.isReady(member.state.value),
      live: isLive(member),
      restarts: member.restartsTotal,
      ...(details === undefined ? {} : { details }),
      children: yield* Effect.forEach(member.starts, make)
    }
  })

export const isLive = (member: Member): boolean =>
  ServiceState.isLive(member.state.value) &&
  member.children.every((child) => !child.isWanted || isLive(child))

const ofState = (state: ServiceState.ServiceState): StateSnapshot => {
  const { _tag, since } = state
  switch (state._tag) {
    case "Stopped":
      return { _tag, since, ...(state.waitingFor === undefined ? {} : { waitingFor: state.waitingFor }) }
    case "Draining":
      return { _tag, since, ending: state.ending }
    case "Failed":
      return { _tag, since, failure: ofFailure(state.failure) }
    case "Restarting":
      return { _tag, since, until: state.until, restarts: state.restarts, failure: ofFailure(state.failure) }
    default:
      return { _tag, since }
  }
}

const ofFailure = (failure: Failure.Failure<unknown>) => ({
  message: Failure.message(failure),
  json: Failure.toJson(failure)
})

/** Asked only while it runs: its end waits for what was asked, as it does for its probes. */
const detailsOf = (member: Member): Effect.Effect<unknown> => {
  const { life, piece } = member
  if (life?.up !== true || piece?.details === undefined) return Effect.undefined
  const { details } = piece
  // In the fiber that the timeout forks.
  const asked = Effect.withFiber<unknown, unknown>((fiber) => {
    if (!life.up) return Effect.undefined
    life.watchers.add(fiber)
    fiber.addObserver(() => life.watchers.delete(fiber))
    return details(life.started)
  })
  return within(asked, phaseContext(member, "run", life)).pipe(
    Effect.timeout("1 second"),
    Effect.catchCause((cause) =>
      Effect.sync(() => (life.up ? { error: Failure.message(Failure.fromCause(cause)) } : undefined))
    )
  )
}
