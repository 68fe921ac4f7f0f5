import * as Data from "effect/Data"

/**
 * - `Unsupported`: this Node or system cannot do it. - `NotStarted`: a worker could not start at first. - `NotReplaced`: at a rolling
 * restart a new worker was not ready; the old one stays, and the slots after it are untouched. - `NotReloaded`: workers could not
 * reload, and go on with what they have. - `IntensityExceeded`: workers end more often than they may. - `Stopped`: they are.
 */
export type Why =
  | "Unsupported"
  | "NotStarted"
  | "NotReplaced"
  | "NotReloaded"
  | "IntensityExceeded"
  | "Stopped"

export class WorkersError extends Data.TaggedError("WorkersError")<{
  readonly reason: Why
  /** Which worker, from 0; `undefined`: all, or none in particular. */
  readonly slot: number | undefined
  readonly detail: string
}> {
  override get message(): string {
    return this.slot === undefined ? this.detail : `worker ${this.slot}: ${this.detail}`
  }
}
