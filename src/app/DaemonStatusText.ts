/** A daemon's status for people. Pure. */
import { visible } from "../result/VisibleText.ts"
import type { DaemonStatus, ServiceStatus } from "./DaemonStatus.ts"

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1]
] as const

/** `3d 4h`, `2m 1s`: the two greatest units. */
export const elapsed = (millis: number): string => {
  let seconds = Math.max(0, Math.floor(millis / 1_000))
  const parts: Array<string> = []
  for (const [unit, size] of units) {
    const count = Math.floor(seconds / size)
    seconds -= count * size
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`)
  }
  return parts.length === 0 ? "0s" : parts.slice(0, 2).join(" ")
}

const stateOf = ({ ready, state }: ServiceStatus, now: number): string => {
  switch (state._tag) {
    case "Running":
      return ready ? "running" : "running, not ready"
    case "Restarting":
      return `restarting in ${elapsed((state.until ?? now) - now)}`
    case "Stopped":
      return state.waitingFor === undefined ? "stopped" : `waits for ${state.waitingFor}`
    default:
      return state._tag.toLowerCase()
  }
}

type Row = readonly [name: string, state: string, since: string, rest: string]

/** What a service tells of itself: its fields, one after the other. */
export const details = (value: unknown): string => {
  if (value === undefined || value === null) return ""
  if (Array.isArray(value)) return value.map(details).join("; ")
  if (typeof value !== "object") return String(value)
  return Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null && field !== 0)
    .map(([name, field]) => `${name} ${details(field)}`)
    .join(", ")
}

const restartsText = (count: number): string =>
  count === 0 ? "" : count === 1 ? ", 1 restart" : `, ${count} restarts`

const rowsOf = (service: ServiceStatus, depth: number, now: number): ReadonlyArray<Row> => {
  const { failure, since } = service.state
  const restarts = restartsText(service.restarts)
  const why = failure === undefined ? "" : `: ${failure.message}`
  const about = service.children.length > 0 ? "" : details(service.details)
  return [
    [
      `${"  ".repeat(depth)}${service.name}`,
      `${stateOf(service, now)}${restarts}`,
      elapsed(now - since),
      `${about === "" ? service.description : about}${why}`
    ],
    ...service.children.flatMap((child) => rowsOf(child, depth + 1, now))
  ]
}

const aligned = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const width = (at: number) => Math.max(...rows.map((row) => row[at]!.length))
  const [names, states, sinces] = [width(0), width(1), width(2)]
  return rows.map(([name, state, since, rest]) =>
    visible(`  ${name.padEnd(names)}  ${state.padEnd(states)}  ${since.padStart(sinces)}  ${rest}`.trimEnd())
  )
}

/** One line about the process, and a table of its services or workers. */
export const text = (status: DaemonStatus): string => {
  const { application, now, pid, services, started, state, version, workers } = status
  const head = `${visible(application)}: ${state.toLowerCase()}, process ${pid}, up ${elapsed(now - started)} (Spindle ${version})`
  const serviceRows = services?.children.flatMap((child) => rowsOf(child, 0, now)) ?? []
  const workerRows = (workers ?? []).map(({ failure, id, restarts, since, slot, state }): Row => [
    `worker ${slot}`,
    `${state.toLowerCase()}${restartsText(restarts)}`,
    elapsed(now - since),
    [id, failure].filter((part) => part !== undefined).join(": ")
  ])
  const rows = [...serviceRows, ...workerRows]
  return rows.length === 0 ? head : [head, ...aligned(rows)].join("\n")
}
