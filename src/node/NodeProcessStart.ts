/** Which of all the processes that ever have a number is meant: the one that has it now, and since when. */
import * as childProcess from "node:child_process"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import { isAlive } from "./ProcessLink.ts"

export interface ProcessStart {
  /** When it began, in milliseconds of the Unix epoch, by the clock as it is set now. */
  readonly startMillis: number | undefined
  /**
   * A number from 0 to 999,999 that it has from its beginning to its end, and another process with the same number has only by
   * chance. No clock is in it. Linux only.
   */
  readonly mark: number | undefined
}

/** What is known of the process that has this number; `undefined` if there is none, or only its zombie. */
export const startOf = (pid: number): ProcessStart | undefined => {
  if (!isAlive(pid)) return undefined
  const stat = statOf(pid)
  if (stat !== undefined) {
    const isZombie = stat.state === "Z" || stat.state === "X"
    return isZombie ? undefined : { startMillis: startMillisOf(stat), mark: markOf(pid, stat) }
  }
  const age = process.platform === "win32" ? undefined : ageMillisByPs(pid)
  return { startMillis: age === undefined ? undefined : Date.now() - age, mark: undefined }
}

interface Stat {
  readonly state: string
  /** Since the machine began to run. */
  readonly startTicks: number
}

/** USER_HZ: 100 on all that Node runs on. */
const millisPerTick = 10

const statOf = (pid: number): Stat | undefined => {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name of the program is in parentheses, and may hold anything, parentheses too. What follows begins with field 3.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return { state: fields[0]!, startTicks: Number(fields[22 - 3]) }
  } catch {
    return undefined
  }
}

/** This process is the reference, not the time of the machine's start: containers are told another one of those. */
const startMillisOf = ({ startTicks }: Stat): number | undefined => {
  const own = statOf(process.pid)
  if (own === undefined) return undefined
  // The clock may have been set since this process began, so the earlier one of two beliefs about that counts.
  const ownStart = Math.min(performance.timeOrigin, Date.now() - process.uptime() * 1_000)
  return ownStart + (startTicks - own.startTicks) * millisPerTick
}

const markOf = (pid: number, { startTicks }: Stat): number => {
  const hash = crypto.createHash("sha256").update(`${bootId()} ${pid} ${startTicks}`).digest()
  return hash.readUInt32LE(0) % 1_000_000
}

/** Another one after each start of the machine. */
const bootId = (): string => {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()
  } catch {
    return ""
  }
}

/** POSIX: how long ago a process began, as `[[dd-]hh:]mm:ss`. */
export const ageMillisByPs = (pid: number): number | undefined => {
  const { stdout } = childProcess.spawnSync("ps", ["-o", "etime=", "-p", String(pid)], {
    encoding: "latin1",
    timeout: 5_000,
    stdio: ["ignore", "pipe", "ignore"]
  })
  return typeof stdout === "string" ? etimeMillis(stdout.trim()) : undefined
}

export const etimeMillis = (text: string): number | undefined => {
  const parts = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)$/.exec(text)
  if (parts === null) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000
}
