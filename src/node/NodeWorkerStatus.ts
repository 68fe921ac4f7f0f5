/** How it is with one of several workers. */

/**
 * - `Starting`: not ready yet. - `Ready`: it serves. - `Replacing`: it serves, and the one after it is being started.
 * - `Waiting`: it ended, and the next one is started soon. - `Draining`: it was told to end. - `Stopped`: there is none.
 */
export type State = "Starting" | "Ready" | "Replacing" | "Waiting" | "Draining" | "Stopped"

export interface WorkerStatus {
  readonly slot: number
  /** Of a thread: the process's own. 0 when there is none. */
  readonly pid: number
  /** Node's number of the thread; `undefined` for processes. */
  readonly thread: number | undefined
  readonly state: State
  /** How often it was started again, because it had ended or was replaced. */
  readonly restarts: number
  /** When this state began, in milliseconds of the epoch. */
  readonly since: number
  /** Why the last one ended that should not have. */
  readonly failure: string | undefined
}
