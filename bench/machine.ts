/** The machine: which processors there are, how to pin to them, and who else uses them meanwhile. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, totalmem } from "node:os"

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** Whether a command runs and succeeds; its output is dropped. */
export const succeeds = (command: string, args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0

/** The processors this process may use, from a list such as `0-1,4`. */
const allowedProcessors = (): ReadonlyArray<number> => {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read("/proc/self/status"))?.[1]
  if (list === undefined) return Array.from({ length: availableParallelism() }, (_, index) => index)
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const [serverProcessor, loadProcessor] = allowedProcessors()

/** Servers on one core, the generator on another; without `taskset` or with one core, nobody is pinned. */
export const pinned =
  serverProcessor !== undefined && loadProcessor !== undefined && succeeds("taskset", ["--version"])

/** The command prefix that pins to the server's or the generator's core; empty where pinning is impossible. */
export const pin = (role: "server" | "load"): ReadonlyArray<string> =>
  pinned ? ["taskset", "-c", String(role === "server" ? serverProcessor : loadProcessor)] : []

/** How many descriptors a process may open at most (the hard limit). */
export const descriptorsMax = Number(
  /^Max open files\s+\S+\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1] ?? 1024
)

/**
 * Processor time of the whole machine so far, in microseconds: user, nice, system, irq, softirq, and what the
 * hypervisor gave to others (steal). NaN where /proc/stat does not exist.
 */
export const busyMicros = (): number => {
  const line = /^cpu\s+(.*)$/m.exec(read("/proc/stat"))?.[1]
  if (line === undefined) return NaN
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).map(Number)
  return (user + nice + system + irq + softirq + steal) * 10_000
}

/** Processor time of the children of a process so far, in microseconds, in ticks of 10 ms; 0 where it cannot be known. */
export const childrenMicros = (pid: number): number =>
  read(`/proc/${pid}/task/${pid}/children`)
    .split(" ")
    .filter((child) => child !== "")
    .reduce((sum, child) => {
      // The name, in brackets, may hold anything.
      const fields = read(`/proc/${child}/stat`).split(") ").at(-1)?.split(" ") ?? []
      return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10_000
    }, 0)

/** The resident memory of a process in bytes, exact where /proc/PID/smaps_rollup exists. */
export const residentBytes = (pid: number): number | undefined => {
  const kilobytes = /^Rss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** One line about the machine, for the head of the report. */
export const description = (): string =>
  [
    `${availableParallelism()} vCPU ${cpus()[0]?.model ?? "of unknown model"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.versions.node}`,
    `load average ${loadavg()[0]?.toFixed(2)}`,
    pinned ? `server on core ${serverProcessor}, generator on core ${loadProcessor}` : "nothing pinned"
  ].join(", ")
