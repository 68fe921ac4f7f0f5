/**
 * The descriptors that systemd passed (socket activation, sd_listen_fds(3)): `LISTEN_FDS` of them from 3 on, for the process
 * `LISTEN_PID`, named by `LISTEN_FDNAMES`. The environment is read when it is asked for.
 */
import * as Effect from "effect/Effect"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"

export interface Passed {
  readonly fd: number
  /** As the unit file has it (`FileDescriptorName=`); `unknown` where systemd names none. */
  readonly name: string
}

/** SD_LISTEN_FDS_START */
const first = 3
const nameDefault = "unknown"

/** What of the environment is read. Default: this process's. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What was passed to this process; a sentence why it is nothing, or cannot be understood. */
export const passedTo = (pid: number, environment: Environment): ReadonlyArray<Passed> | string => {
  const { LISTEN_FDNAMES: names, LISTEN_FDS: count, LISTEN_PID: owner } = environment
  if (count === undefined && owner === undefined)
    return "systemd passed no descriptors: LISTEN_FDS is not set"
  if (owner === undefined) return "LISTEN_FDS is set, but not LISTEN_PID, which says for whom"
  if (!isWhole(owner)) return `LISTEN_PID is "${owner}", which is no process`
  if (Number(owner) !== pid) {
    return `systemd passed descriptors to process ${owner} (LISTEN_PID), and this is process ${pid}`
  }
  if (count === undefined || !isWhole(count) || Number(count) > descriptorsMax) {
    return `LISTEN_FDS is "${count ?? ""}", which is no number of descriptors`
  }
  const named = names === undefined || names === "" ? [] : names.split(":")
  return Array.from({ length: Number(count) }, (_, i) => ({ fd: first + i, name: named[i] ?? nameDefault }))
}

/** More than a process can have open. */
const descriptorsMax = 1_048_576
const isWhole = (text: string): boolean => /^[0-9]{1,10}$/.test(text)

/** Those that were given out. They belong to the process, and so does this. */
const taken = new Set<number>()

/** The descriptor that an endpoint means. It is not taken yet; of several of one name it is the first one left. */
export const find = (
  { descriptor }: Endpoint.SystemdServer,
  environment: Environment = process.env
): Passed | ListenReason => {
  const asked = problemOf(descriptor)
  if (asked !== undefined) return asked
  const passed = passedTo(process.pid, environment)
  if (typeof passed === "string") return new Reason.BadFile({ detail: passed, errno: "ENOENT" })
  const matching = passed.filter(({ name }, index) =>
    "index" in descriptor ? index === descriptor.index : name === descriptor.name
  )
  if (matching.length === 0) {
    const what =
      "index" in descriptor ? `descriptor ${descriptor.index}` : `descriptor named "${descriptor.name}"`
    return new Reason.BadFile({ detail: `systemd passed no ${what}, but ${list(passed)}`, errno: "ENOENT" })
  }
  return matching.find(({ fd }) => !taken.has(fd)) ?? alreadyTaken(matching)
}

/** From now on it is somebody's, for good. */
export const take = ({ fd }: Passed): void => {
  taken.add(fd)
}

const problemOf = (descriptor: Endpoint.SystemdServer["descriptor"]): Reason.InvalidAddress | undefined =>
  "index" in descriptor && !(Number.isInteger(descriptor.index) && descriptor.index >= 0)
    ? new Reason.InvalidAddress({
        detail: `the index of a descriptor is a whole number from 0, not ${descriptor.index}`,
        errno: "EINVAL"
      })
    : undefined

const alreadyTaken = (matching: ReadonlyArray<Passed>) =>
  new Reason.AlreadyListened({
    detail: `descriptor ${matching.map(({ fd }) => fd).join(", ")} was taken before; each can be taken once`
  })

const list = (passed: ReadonlyArray<Passed>): string =>
  passed.length === 0 ? "none" : passed.map(({ name }, index) => `${index} ("${name}")`).join(", ")

/**
 * Takes the variables out of the environment, as `sd_listen_fds(1)` does. Optional, once all endpoints are open: child
 * processes do not get the descriptors (Node closes them in children), nor take themselves for the process that is meant
 * (`LISTEN_PID`).
 */
export const unsetEnvironment: Effect.Effect<void> = Effect.sync(() => {
  for (const name of ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"])
    delete process.env[name]
})
