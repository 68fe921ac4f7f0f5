/** How often the services of a group are restarted. Pure. */

/** When they were, in milliseconds, the last one last. */
export type Window = ReadonlyArray<number>

export interface Limit {
  readonly restarts: number
  readonly periodMillis: number
}

/**
 * The window with one more restart; undefined when these are more than the limit allows. As in Erlang, one failure counts once,
 * however many services are restarted for it, and a restart that fails counts again.
 */
export const restarted = (window: Window, now: number, limit: Limit): Window | undefined => {
  const recent = [...window.filter((at) => now - at <= limit.periodMillis), now]
  return recent.length > limit.restarts ? undefined : recent
}
