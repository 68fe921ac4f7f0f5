/**
 * Fails a test file that leaves something behind that would keep a process alive: a socket, server, timer, process or
 * pipe. `vitest run --detectAsyncLeaks <file>` says where it was made; it is not on by itself, because it takes a stack
 * for every promise and makes busy tests forty times slower.
 */
import { afterAll, beforeAll } from "vitest"

/** What was closed may need a few turns of the event loop to be gone. */
const graceMillis = 1000

// --- timers: the runner has its own, so only those made through the globals count -------------------------

const timers = new Set<NodeJS.Timeout>()
let sweepAt = 1000

const keep = (timer: NodeJS.Timeout): NodeJS.Timeout => {
  timers.add(timer)
  if (timers.size > sweepAt) sweepAt = 1000 + 2 * liveTimers()
  return timer
}

/** Forgets the timers that are over (Node says so in `_destroyed` only), or hold nothing, and counts the others. */
const liveTimers = (): number => {
  for (const timer of timers) {
    if (!timer.hasRef() || (timer as { _destroyed?: boolean })._destroyed === true) timers.delete(timer)
  }
  return timers.size
}

const watched = <F extends typeof setTimeout | typeof setInterval>(original: F): F => {
  const make = original as (...args: ReadonlyArray<unknown>) => NodeJS.Timeout
  const watching = (...args: ReadonlyArray<unknown>): NodeJS.Timeout => keep(make(...args))
  // Also what hangs on it: `util.promisify.custom`.
  return Object.defineProperties(watching, Object.getOwnPropertyDescriptors(original)) as unknown as F
}

const settle = globalThis.setTimeout
globalThis.setTimeout = watched(globalThis.setTimeout)
globalThis.setInterval = watched(globalThis.setInterval)

// --- everything else --------------------------------------------------------------------------------------

const count = (): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo())
    counts.set(resource, (counts.get(resource) ?? 0) + 1)
  return counts.set("Timeout", liveTimers())
}

let before = new Map<string, number>()

const leftBehind = (): ReadonlyArray<string> =>
  [...count()].flatMap(([resource, now]) => {
    const more = now - (before.get(resource) ?? 0)
    return more > 0 ? [`${more} ${resource}`] : []
  })

beforeAll(() => {
  // Where they are pipes, the first use of these would count as one.
  void [process.stdin, process.stdout, process.stderr]
  before = count()
})

afterAll(async () => {
  const deadline = performance.now() + graceMillis
  let left: ReadonlyArray<string>
  // At least once: what was just begun may not be there yet.
  do {
    await new Promise<void>((resolve) => settle(resolve, 5))
    left = leftBehind()
  } while (left.length > 0 && performance.now() < deadline)
  if (left.length > 0) {
    throw new Error(
      `left behind: ${left.join(", ")} (vitest run --detectAsyncLeaks <file> says where it was made)`
    )
  }
})
