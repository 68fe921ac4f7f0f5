/** How an application as a whole is doing. Every `since` is in milliseconds of the epoch, by Effect's `Clock`. */
import type * as Data from "effect/Data"
import type { Snapshot } from "./ServiceSnapshot.ts"

/**
 * - `Stopped`: not started yet, or no more. - `Loading`: its configuration. - `Binding`: the first phase. - `Starting`: the
 *   second. - `Running`: every service had started. - `Reloading`: runs, and takes a new configuration over. - `Stopping`.
 * - `Failed`: it did not start, or its tree has failed; all is stopped.
 */
export type ApplicationState = Data.TaggedEnum<{
  Stopped: Since
  Loading: Since
  Binding: Since
  Starting: Since
  Running: Since
  Reloading: Since
  Stopping: Since
  Failed: Since & { readonly message: string }
}>

export interface Since {
  readonly since: number
}

/** Plain JSON, for `spindle status`, and for the log. */
export interface ApplicationSnapshot {
  readonly name: string
  readonly description: string
  readonly state: ApplicationState
  /** Whether every service runs and is ready. */
  readonly ready: boolean
  readonly live: boolean
  /** Its services; undefined while it has none yet, or any more. */
  readonly services: Snapshot | undefined
}
