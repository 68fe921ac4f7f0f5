/** The state of an application as lines of a log: what SIGUSR2 asks for. Pure. */
import { visible } from "../result/VisibleText.ts"
import type { ApplicationSnapshot } from "./ApplicationState.ts"
import type { Snapshot } from "./ServiceSnapshot.ts"

const seconds = (millis: number): string => `${Math.max(0, Math.floor(millis / 1000))} s`

const service = (
  { children, details, name, ready, restarts, state }: Snapshot,
  depth: number,
  now: number
): ReadonlyArray<string> => {
  const parts = [
    `${name}: ${state._tag.toLowerCase()}`,
    state._tag === "Running" && !ready ? "not ready" : "",
    `for ${seconds(now - state.since)}`,
    restarts === 0 ? "" : `restarts: ${restarts}`,
    state.waitingFor === undefined ? "" : `waits for ${state.waitingFor}`,
    state.failure?.message ?? "",
    details === undefined ? "" : json(details)
  ]
  return [
    "  ".repeat(depth) + visible(parts.filter((part) => part !== "").join(", ")),
    ...children.flatMap((child) => service(child, depth + 1, now))
  ]
}

const json = (details: unknown): string => {
  try {
    return JSON.stringify(details) ?? ""
  } catch {
    return ""
  }
}

/** A line for the application, and one for each service below it. @param now milliseconds of the epoch */
export const text = ({ name, services, state }: ApplicationSnapshot, now: number): string => {
  const why = state._tag === "Failed" ? `, ${state.message}` : ""
  const head = visible(
    `state of ${name}: ${state._tag.toLowerCase()} for ${seconds(now - state.since)}${why}`
  )
  return [head, ...(services?.children ?? []).flatMap((child) => service(child, 1, now))].join("\n")
}
