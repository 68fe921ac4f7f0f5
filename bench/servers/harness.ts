/**
 * The contract of every server here, for those written for Node. Environment `PORT` (0: any), first line of stdout
 * `{"port":N}`; then one JSON line for each line of stdin:
 *
 * - `cpu`: `{"userMicros":N,"systemMicros":N}`, used by the process so far; costs next to nothing.
 * - `stats`: the same (as it was before collecting garbage), and `rssBytes`, `heapUsedBytes` after two forced
 *   collections where `--expose-gc` is given.
 *
 * - `delay`: `{"delayMillis":N}`, the longest that the event loop was late since it was last asked.
 *
 * The end of stdin ends the process, so a harness that dies leaves nothing behind.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { createInterface } from "node:readline"

/** The port to listen on, at 127.0.0.1. */
export const port = Number(process.env.PORT ?? 0)

/** The listen backlog of every server here: Node's default, given to Twisted and C as well. */
export const backlog = 511

const answer = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const cpu = (): { readonly userMicros: number; readonly systemMicros: number } => {
  const used = process.cpuUsage()
  return { userMicros: used.user, systemMicros: used.system }
}

// Sockets closed a moment ago are freed by callbacks of the event loop, hence one turn between two collections.
const stats = (): void => {
  const before = cpu()
  globalThis.gc?.()
  setImmediate(() => {
    globalThis.gc?.()
    const memory = process.memoryUsage()
    answer({ ...before, rssBytes: memory.rss, heapUsedBytes: memory.heapUsed })
  })
}

const delays = monitorEventLoopDelay({ resolution: 1 })

/** It is looked at from the first time on. */
const delay = (): void => {
  answer({ delayMillis: delays.max / 1e6 })
  delays.reset()
  delays.enable()
}

/** Announces that the server listens on `port` and answers stdin from now on. */
export const ready = (port: number): void => {
  answer({ port })
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (line === "cpu") answer(cpu())
      else if (line === "stats") stats()
      else if (line === "delay") delay()
      else answer({ error: `unknown command: ${line}` })
    })
    .on("close", () => process.exit(0))
}
