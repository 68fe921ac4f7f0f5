/** How a service is doing. */
import type { Failure } from "../result/Failure.ts"
import type { Ending } from "./ServiceInstance.ts"

/** Every `since` and `until` is in milliseconds of the epoch, by Effect's `Clock`. */
export type ServiceState = Stopped | Starting | Running | Draining | Failed | Restarting

/** Not started yet, stopped, or come to its end. */
export interface Stopped {
  readonly _tag: "Stopped"
  readonly since: number
  /** The path of the service that it waits for: it will start after that. */
  readonly waitingFor: string | undefined
}

/** In one of its phases, or not ready yet. */
export interface Starting {
  readonly _tag: "Starting"
  readonly since: number
}

export interface Running {
  readonly _tag: "Running"
  readonly since: number
  /** By its readiness probe; without one: true. Of a group: all that it wants to run does, and is ready. */
  readonly ready: boolean
}

/** On its way to a stop, or to a restart. */
export interface Draining {
  readonly _tag: "Draining"
  readonly since: number
  readonly ending: Ending
}

/** It failed, and is not started again by itself. */
export interface Failed {
  readonly _tag: "Failed"
  readonly since: number
  readonly failure: Failure<unknown>
}

/** It failed, or came to an end that it should not, and is started again. */
export interface Restarting {
  readonly _tag: "Restarting"
  readonly since: number
  /** When the next try begins. */
  readonly until: number
  readonly failure: Failure<unknown>
  /** Tries since it last ran for `backoffResetAfter`, the next one included. */
  readonly restarts: number
}

/** Whether it is in working order: it runs, or is about to. */
export const isLive = (state: ServiceState): boolean => state._tag === "Starting" || state._tag === "Running"

export const isReady = (state: ServiceState): boolean => state._tag === "Running" && state.ready

/** One word, for a table: `running`, `running (not ready)`, `restarting`, ... */
export const word = (state: ServiceState): string => {
  switch (state._tag) {
    case "Running":
      return state.ready ? "running" : "running (not ready)"
    case "Stopped":
      return state.waitingFor === undefined ? "stopped" : `waiting for ${state.waitingFor}`
    case "Draining":
      return state.ending === "Restart" ? "draining, to restart" : "draining"
    default:
      return state._tag.toLowerCase()
  }
}
