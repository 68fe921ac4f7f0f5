/**
 * One program that is kept running, as a service. Twisted: `procmon`.
 *
 * It is started again whenever it ends, by itself or not: at once after a life of `threshold` and more, else after a pause that doubles
 * each time. A program that cannot be started at all is a failure of the service's start. Its output is logged line by line.
 * To stop, it is asked to (`TERM`), killed after `killTime`, and waited for: the whole of its group.
 */
import * as Effect from "effect/Effect"
import type { SpawnFailed } from "../reactor/ProcessError.ts"
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"
import type { Processes } from "../reactor/ProcessesService.ts"
import * as ProcessMonitor from "./ProcessMonitor.ts"
import * as Service from "./Service.ts"

export interface Options extends Omit<ProcessMonitor.Options, "name">, Omit<Service.Common, "name"> {
  /** Default: the last part of the program's path. Its lines are logged by it. */
  readonly name?: string | undefined
  /** What a reload sends it. Default: nothing. */
  readonly reloadSignal?: ProcessSignal | undefined
}

export const make = (options: Options): Service.Service<never, SpawnFailed, Processes> => {
  const { program, reloadSignal } = options
  const name = options.name ?? program.slice(program.lastIndexOf("/") + 1)
  return Service.make({
    ...options,
    name,
    description: options.description ?? `keeps ${program} running`,
    start: () => ProcessMonitor.make({ ...options, name }),
    run: (monitor) => monitor.run,
    details: ({ snapshot }) => Effect.map(snapshot, ({ pid, starts }) => ({ process: pid, starts })),
    reload: (monitor) => (reloadSignal === undefined ? Effect.void : monitor.signal(reloadSignal))
  })
}
