/** What a service is made of, with the types of its parts erased: what a tree runs. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { pipeArguments } from "effect/Pipeable"
import type * as Scope from "effect/Scope"
import type { Any } from "./Service.ts"
import * as ServiceProbe from "./ServiceProbe.ts"

export type Body = Piece | Group

/**
 * Which services are started again when one of a group has failed:
 *
 * - `one-for-one`: that one. - `rest-for-one`: that one, and those that were started after it. - `one-for-all`: all.
 *
 * They are stopped in reverse, and started in order. Those that depend on the one (`after`, or because it provides services)
 * are restarted with it in any case.
 */
export type Strategy = "one-for-one" | "rest-for-one" | "one-for-all"

/** More restarts than these in this time, and the group itself fails: whoever it belongs to decides what then. */
export interface Intensity {
  /** Default 3. */
  readonly restarts: number
  /** Default 5 seconds. */
  readonly period: Duration.Input
}

/** A service of one piece. Its requirements are met by the tree. */
export interface Piece {
  readonly _tag: "Piece"
  readonly privileged: Effect.Effect<unknown, unknown, Scope.Scope> | undefined
  readonly start: ((bound: unknown) => Effect.Effect<unknown, unknown, Scope.Scope>) | undefined
  readonly run: ((started: unknown) => Effect.Effect<unknown, unknown, Scope.Scope>) | undefined
  readonly provides: ((started: unknown) => Context.Context<never>) | undefined
  readonly ready: ServiceProbe.Resolved | undefined
  readonly live: ServiceProbe.Resolved | undefined
  readonly reload: ((started: unknown) => Effect.Effect<unknown, unknown>) | undefined
  readonly details: ((started: unknown) => Effect.Effect<unknown, unknown>) | undefined
}

/** A service made of services. See `ServiceGroup`. */
export interface Group {
  readonly _tag: "Group"
  readonly services: ReadonlyArray<Any>
  readonly strategy: Strategy
  readonly intensity: Intensity
}

/** The phases of a piece, whatever their types. */
export interface Phases {
  readonly privileged?: unknown
  readonly start?: unknown
  readonly run?: unknown
  readonly provides?: unknown
  readonly ready?: ServiceProbe.Input<never, unknown, unknown> | undefined
  readonly live?: ServiceProbe.Input<never, unknown, unknown> | undefined
  readonly reload?: unknown
  readonly details?: unknown
}

export const piece = (phases: Phases): Piece => ({
  _tag: "Piece",
  privileged: phases.privileged as Piece["privileged"],
  start: phases.start as Piece["start"],
  run: phases.run as Piece["run"],
  provides: phases.provides as Piece["provides"],
  ready: ServiceProbe.resolve(phases.ready),
  live: ServiceProbe.resolve(phases.live),
  reload: phases.reload as Piece["reload"],
  details: phases.details as Piece["details"]
})

/** What only types read. */
export const variance = { _Provides: () => undefined, _E: (_: never) => _, _R: (_: never) => _ }

/** A description is a value: nobody changes it, its name least of all. */
export const seal = <Fields extends object>(fields: Fields): Fields =>
  Object.freeze(Object.assign(Object.create(prototype) as object, fields)) as Fields

const prototype = {
  pipe(): unknown {
    return pipeArguments(this as never, arguments)
  }
}
