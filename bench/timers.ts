/**
 * `node bench/timers.ts [--quick] [--rounds 7] [--pending 100000,1000000]`
 *
 * What a timer costs, many pending: to create, to cancel in any order, to push forward, to keep, and to fire. Each
 * way to have timers runs in processes of its own, in turn; a figure is the median over the rounds, and a ratio the median of
 * the ratios to `setTimeout` within each round. Then the data structures alone. `--quick`: without those that take long.
 */
import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as NodeTimers from "../src/node/NodeTimers.ts"
import type { DelayedCall } from "../src/reactor/DelayedCall.ts"
import { noEntry, type Queued, TimerQueue } from "../src/reactor/TimerQueue.ts"
import { Timers } from "../src/reactor/Timers.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { BinaryHeap, type Queue, Wheels } from "./timerQueues.ts"

type Figures = Readonly<Record<string, number>>

/** One way to have timers. */
interface Subject<T> {
  readonly create: (delayMillis: number, action: () => void) => T
  readonly cancel: (timer: T) => void
  readonly push?: (timer: T, delayMillis: number) => void
}

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    pending: { type: "string", default: "100000,1000000" },
    rounds: { type: "string" },
    child: { type: "string" },
    delays: { type: "string", default: "random" },
    fire: { type: "boolean", default: false }
  }
})

// --- subjects ---------------------------------------------------------------------------------------------

const makeTimers = () =>
  Effect.runSync(
    Effect.map(Layer.buildWithScope(NodeTimers.layer, Scope.makeUnsafe()), (context) =>
      Context.get(context, Timers)
    )
  )

type Subjects = Readonly<Record<string, () => Subject<unknown>>>
const subject = <T>(make: () => Subject<T>): (() => Subject<unknown>) => make as () => Subject<unknown>

const subjects: Subjects = {
  setTimeout: subject<NodeJS.Timeout>(() => ({
    create: (delay, action) => setTimeout(action, delay),
    cancel: (timer) => clearTimeout(timer),
    push: (timer) => void timer.refresh()
  })),
  "Timers, callLaterUnsafe": subject<DelayedCall>(() => {
    const timers = makeTimers()
    return {
      create: timers.callLaterUnsafe,
      cancel: (call) => void call.cancelUnsafe(),
      push: (call, delay) => void call.resetUnsafe(delay)
    }
  }),
  "Timers, callLater in a scope": subject<DelayedCall>(() => {
    const timers = makeTimers()
    const run = Effect.runForkWith(Context.make(Scope.Scope, Scope.makeUnsafe()))
    return {
      create: (delay, action) => {
        const exit = run(timers.callLater(delay, Effect.sync(action))).pollUnsafe()
        if (exit?._tag !== "Success") throw new Error("not scheduled")
        return exit.value
      },
      cancel: (call) => void run(call.cancel),
      push: (call, delay) => void run(call.reset(delay))
    }
  }),
  "Effect.sleep, a fiber each": subject<Fiber.Fiber<void>>(() => ({
    create: (delay, action) => Effect.runFork(Effect.andThen(Effect.sleep(delay), Effect.sync(action))),
    cancel: (fiber) => fiber.interruptUnsafe()
  }))
}

const queues: Readonly<Record<string, () => Queue<unknown>>> = {
  "TimerQueue: heap of four": (): Queue<unknown> => {
    const queue = new TimerQueue<Queued>()
    const subject: Queue<Queued> = {
      add: (deadline) => {
        const item = { deadline, order: 0, entry: noEntry }
        queue.add(item)
        return item
      },
      remove: (item) => queue.remove(item),
      take: () => queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    }
    return subject as Queue<unknown>
  },
  "binary heap of objects": () => new BinaryHeap() as Queue<unknown>,
  "hierarchical wheels": () => new Wheels(performance.now()) as Queue<unknown>
}

// --- in a process of its own ------------------------------------------------------------------------------

/** The same numbers in every process. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const shuffled = (count: number): Uint32Array => {
  const next = random(2)
  const order = Uint32Array.from({ length: count }, (_, at) => at)
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1))
    const kept = order[at]!
    order[at] = order[other]!
    order[other] = kept
  }
  return order
}

/** From a minute to an hour, or a minute for all: `setTimeout` has a list for each number of milliseconds. */
const delaysOf = (count: number): Float64Array => {
  const next = random(1)
  return Float64Array.from({ length: count }, () =>
    given.delays === "same" ? 60_000 : 60_000 + next() * 3_540_000
  )
}

const collect = (): void => (globalThis as { gc?: () => void }).gc?.()

const nanosEach = (count: number, run: () => void): number => {
  const startedAt = performance.now()
  run()
  return ((performance.now() - startedAt) * 1e6) / count
}

let fired = 0

const measureSubject = (make: () => Subject<unknown>, count: number): Figures => {
  const delays = delaysOf(count)
  const order = shuffled(count)
  const { create, cancel, push } = make()
  const timers = Array.from<unknown>({ length: count })
  const createAll = () => {
    for (let at = 0; at < count; at++) timers[at] = create(delays[at]!, () => void (fired += at))
  }
  const cancelAll = () => {
    for (let at = 0; at < count; at++) cancel(timers[order[at]!])
  }
  collect()
  const before = process.memoryUsage()
  const first = nanosEach(count, createAll)
  collect()
  const after = process.memoryUsage()
  cancelAll()
  collect()
  const second = nanosEach(count, createAll)
  const pushed =
    push === undefined
      ? Number.NaN
      : nanosEach(count, () => {
          for (let at = 0; at < count; at++) push(timers[order[at]!], 3_700_000)
        })
  return {
    create: Math.min(first, second),
    push: pushed,
    cancel: nanosEach(count, cancelAll),
    rss: (after.rss - before.rss) / count,
    heap: (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / count
  }
}

const measureQueue = (make: () => Queue<unknown>, count: number): Figures => {
  const delays = delaysOf(count)
  const order = shuffled(count)
  const items = Array.from<unknown>({ length: count })
  collect()
  const queue = make()
  const now = performance.now()
  const addAll = () => {
    for (let at = 0; at < count; at++) items[at] = queue.add(now + delays[at]!)
  }
  const add = nanosEach(count, addAll)
  const remove = nanosEach(count, () => {
    for (let at = 0; at < count; at++) queue.remove(items[order[at]!])
  })
  addAll()
  let last = 0
  let taken = 0
  const take = nanosEach(count, () => {
    for (let item = queue.take(); item !== undefined; item = queue.take()) {
      if (item.deadline < last) throw new Error("out of order")
      last = item.deadline
      taken++
    }
  })
  if (taken !== count) throw new Error(`${count - taken} lost`)
  return { add, remove, take }
}

/** All within a second: processor time for each, and how late they are. */
const measureFiring = async (make: () => Subject<unknown>, count: number): Promise<Figures> => {
  const next = random(1)
  const { create } = make()
  const late = new Float64Array(count)
  const before = process.cpuUsage()
  await new Promise<void>((resolve) => {
    let left = count
    for (let at = 0; at < count; at++) {
      const delay = 1 + next() * 1000
      const due = performance.now() + delay
      create(delay, () => {
        late[at] = performance.now() - due
        if (--left === 0) resolve()
      })
    }
  })
  const { system, user } = process.cpuUsage(before)
  late.sort()
  const ended = { cpu: (user + system) / count, p50: late[count >> 1]!, p99: late[Math.floor(count * 0.99)]! }
  return { ...ended, early: Math.max(0, -late[0]!) }
}

// --- the rounds -------------------------------------------------------------------------------------------

const twisted = `
import json, random, sys, time
try:
    from twisted.internet import reactor
except ImportError:
    sys.exit(3)
count, same = int(sys.argv[1]), sys.argv[2] == "same"
def rss():
    with open("/proc/self/statm") as f: return int(f.read().split()[1]) * 4096
random.seed(1)
delays = [60.0 if same else random.uniform(60, 3600) for _ in range(count)]
order = list(range(count)); random.shuffle(order)
calls = [None] * count
fired = []
before = rss(); t = time.perf_counter()
for at in range(count): calls[at] = reactor.callLater(delays[at], lambda at=at: fired.append(at))
create = (time.perf_counter() - t) / count * 1e9; after = rss()
t = time.perf_counter()
for at in order: calls[at].reset(3700)
push = (time.perf_counter() - t) / count * 1e9; t = time.perf_counter()
for at in order: calls[at].cancel()
cancel = (time.perf_counter() - t) / count * 1e9
print(json.dumps(dict(create=create, push=push, cancel=cancel, rss=(after - before) / count)))
`

const runChild = (
  name: string,
  count: number,
  delays: string,
  more: ReadonlyArray<string>
): Figures | undefined => {
  const { status, stderr, stdout } =
    name === "Twisted, callLater"
      ? spawnSync("python3", ["-c", twisted, String(count), delays], { encoding: "utf8" })
      : spawnSync(
          process.execPath,
          ["--expose-gc", "--max-old-space-size=4096", import.meta.filename, "--child", name]
            .concat(["--pending", String(count), "--delays", delays])
            .concat(more),
          { encoding: "utf8" }
        )
  if (status === 3) return undefined
  if (status !== 0) throw new Error(`${name}: ${stderr}`)
  return JSON.parse(stdout) as Figures
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** The rows of one table, each round beginning with another. */
const table = (
  title: string,
  names: ReadonlyArray<string>,
  columns: ReadonlyArray<string>,
  rounds: number,
  run: (name: string) => Figures | undefined,
  ratios: ReadonlyArray<string> = []
): void => {
  const samples = new Map<string, Array<Figures>>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + round) % names.length]!
      const figures = run(name)
      if (figures !== undefined) samples.get(name)![round] = figures
    }
  }
  print(`\n${title}`)
  print(
    [
      "".padEnd(30),
      ...columns.map((column) => column.padStart(10)),
      ...ratios.map((r) => `x ${r}`.padStart(10))
    ].join("")
  )
  for (const [name, rows] of samples) {
    if (rows.length === 0) {
      print(`${name.padEnd(30)} not on this machine`)
      continue
    }
    const cells = columns.map((column) => median(rows.map((row) => row[column] ?? Number.NaN)))
    const shown = cells.map((value) =>
      (Number.isNaN(value) ? "-" : value.toFixed(value < 10 ? 1 : 0)).padStart(10)
    )
    const reference = samples.get(names[0]!)!
    const compared = ratios.map((column) =>
      median(
        rows.map((row, round) => (row[column] ?? Number.NaN) / (reference[round]?.[column] ?? Number.NaN))
      )
        .toFixed(2)
        .padStart(10)
    )
    print([name.padEnd(30), ...shown, ...compared].join(""))
  }
}

const main = (): void => {
  const rounds = Number(given.rounds ?? 7)
  const names = Object.keys(subjects)
  print(machine.description())
  print(`${rounds} rounds, medians; ns each, bytes each; cancelled and pushed in random order`)
  for (const pending of given.pending.split(",").map(Number)) {
    for (const delays of ["random", "same"]) {
      const words = delays === "same" ? "a minute each" : "random from a minute to an hour"
      table(
        `${pending} pending, delays ${words}`,
        given.quick ? names.slice(0, 2) : [...names, "Twisted, callLater"],
        ["create", "cancel", "push", "rss", "heap"],
        rounds,
        (name) => runChild(name, pending, delays, []),
        ["create", "cancel"]
      )
    }
    table(
      `data structures alone, ${pending} pending, random delays`,
      Object.keys(queues),
      ["add", "remove", "take"],
      rounds,
      (name) => runChild(name, pending, "random", [])
    )
  }
  table(
    "100000 firing within a second: processor microseconds each; milliseconds late (and early at most)",
    given.quick ? names.slice(0, 2) : names,
    ["cpu", "p50", "p99", "early"],
    rounds,
    (name) => runChild(name, 100_000, "random", ["--fire"])
  )
}

const child = async (name: string): Promise<void> => {
  const count = Number(given.pending)
  const queue = queues[name]
  const subject = subjects[name]
  let figures: Figures
  if (queue !== undefined) figures = measureQueue(queue, count)
  else if (subject === undefined) throw new Error(`no subject ${name}`)
  else if (given.fire) figures = await measureFiring(subject, count)
  else {
    // Compiled, and the young generation grown, before it counts.
    measureSubject(subject, 20_000)
    figures = measureSubject(subject, count)
  }
  process.stdout.write(JSON.stringify(figures))
  process.exit(0)
}

if (given.child === undefined) main()
else await child(given.child)
