/** The state of a daemon for its log: what SIGUSR2 asks for. Pure. */
import type { NodeDump } from "../node/NodeDump.ts"
import type { DaemonStatus, ServiceStatus } from "./DaemonStatus.ts"
import * as DaemonStatusText from "./DaemonStatusText.ts"

/** The annotation that has it as data. */
export const key = "state"

const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ") || "none"

const leavesOf = (service: ServiceStatus): ReadonlyArray<ServiceStatus> =>
  service.children.length === 0 ? [service] : service.children.flatMap(leavesOf)

const openOf = (details: unknown): number | undefined => {
  if (typeof details !== "object" || details === null) return undefined
  if (Array.isArray(details)) {
    const counts = details.map(openOf).filter((count) => count !== undefined)
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
  }
  return "open" in details && typeof details.open === "number" ? details.open : undefined
}

/** How many connections each service has, by path, of those that count them. */
const connectionsOf = (services: ServiceStatus | undefined): Readonly<Record<string, number>> =>
  Object.fromEntries(
    (services === undefined ? [] : leavesOf(services)).flatMap(({ details, path }) => {
      const open = openOf(details)
      return open === undefined ? [] : [[path, open]]
    })
  )

/** The status, and below it what the process is doing. */
export const text = (status: DaemonStatus, facts: NodeDump): string => {
  const { cpuSeconds, fibers, loop, memoryBytes, resources, version } = facts
  const { heapTotal, heapUsed, rss } = memoryBytes
  return [
    DaemonStatusText.text(status),
    ...(status.services === undefined ? [] : [`connections: ${listed(connectionsOf(status.services))}`]),
    `fibers: ${fibers === undefined ? "not counted" : `${fibers.active} active, ${fibers.started} started`}`,
    `memory: ${mebibytes(rss)}, of it heap ${mebibytes(heapUsed)} of ${mebibytes(heapTotal)}`,
    `processor: ${cpuSeconds.user} s, in the system ${cpuSeconds.system} s; event loop ${Math.round(loop.utilization * 100)} % busy, ${loop.delayMillis} ms a turn`,
    `handles: ${listed(resources)}`,
    `Node ${version}, for ${DaemonStatusText.elapsed(facts.uptimeSeconds * 1_000)}`
  ].join("\n")
}

const rowsOf = (service: ServiceStatus): ReadonlyArray<object> => {
  const { children, details, path, ready, restarts, state } = service
  const row = {
    path,
    state: state._tag,
    since: state.since,
    ready,
    restarts,
    ...(state.failure === undefined ? {} : { failure: state.failure.message }),
    ...(details === undefined ? {} : { details: DaemonStatusText.details(details) })
  }
  return [row, ...children.flatMap(rowsOf)]
}

/** The same as data, flat: a log reads nested objects only so deep. */
export const data = ({ services, ...status }: DaemonStatus, facts: NodeDump): object => ({
  ...status,
  process: facts,
  ...(services === undefined
    ? {}
    : { connections: connectionsOf(services), services: services.children.flatMap(rowsOf) })
})
