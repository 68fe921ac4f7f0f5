/**
 * `node bench/threads.ts [--quick] [--rounds 9]`
 *
 * What a job of another thread costs beside a bare round trip over a `MessageChannel`, which nothing in JavaScript can
 * undercut: one after another, 64 under way on one thread, and with 64 KiB copied or moved, there and back. Each round
 * has all of them, beginning with another; a figure is the median over the rounds, and a ratio the median of the ratios
 * to the bare round trip within each round. Then what a thread costs to start, with its first job.
 */
import { parseArgs } from "node:util"
import { MessageChannel, type MessagePort, type Transferable, Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as NodeThreads from "../src/node/NodeThreads.ts"
import * as Threads from "../src/reactor/Threads.ts"
import * as ThreadTask from "../src/reactor/ThreadTask.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import type * as Jobs from "./threads/jobs.ts"
import * as Tasks from "./threads/tasks.ts"

const { values: given } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" } }
})

const blockBytes = 64 * 1024
const jobs = Threads.module<typeof Jobs>(new URL("./threads/jobs.ts", import.meta.url))

type Bytes = Uint8Array<ArrayBuffer>

/** One way to have something done elsewhere; each gives back what it was given. */
interface Subject {
  readonly small: () => Promise<number>
  readonly copied: (bytes: Bytes) => Promise<Bytes>
  readonly moved: (bytes: Bytes) => Promise<Bytes>
}

// --- subjects -------------------------------------------------------------------------------------------

const bare = async (): Promise<Subject & { readonly close: () => Promise<number> }> => {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL("./threads/echo.ts", import.meta.url), {
    workerData: port2,
    transferList: [port2]
  })
  const waiting: Array<(value: unknown) => void> = []
  port1.on("message", (value) => waiting.shift()!(value))
  const send = <A>(port: MessagePort, value: unknown, transfer: Array<Transferable> = []) =>
    new Promise<A>((resolve) => {
      waiting.push(resolve as (value: unknown) => void)
      port.postMessage(value, transfer)
    })
  return {
    small: () => send<number>(port1, 1),
    copied: (bytes) => send<Bytes>(port1, bytes),
    moved: (bytes) => send<Bytes>(port1, { moved: bytes }, [bytes.buffer]),
    close: () => worker.terminate()
  }
}

const scope = Scope.makeUnsafe()
const context = await Effect.runPromise(Layer.buildWithScope(NodeThreads.layer({ min: 1, max: 1 }), scope))
const run = Effect.runPromiseWith(context)

const deferred: Subject = {
  small: () => run(Threads.deferToThread(jobs, "same", [1])) as Promise<number>,
  copied: (bytes) => run(Threads.deferToThread(jobs, "same", [bytes])) as Promise<Bytes>,
  moved: (bytes) => run(Threads.deferToThread(jobs, "moved", [bytes], { transfer: [bytes.buffer] }))
}

const tasks: Subject = {
  small: () => run(ThreadTask.run(Tasks.Same, 1)),
  copied: deferred.copied,
  moved: (bytes) => run(ThreadTask.run(Tasks.Moved, bytes))
}

// --- measuring ------------------------------------------------------------------------------------------

const microsEach = async (count: number, work: () => Promise<void>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return ((performance.now() - startedAt) * 1_000) / count
}

const inFlight = 64

type Case = (subject: Subject, count: number) => Promise<void>

const cases: Readonly<Record<string, Case>> = {
  "one after another": async ({ small }, count) => {
    for (let i = 0; i < count; i++) if ((await small()) !== 1) throw new Error("something else came back")
  },
  [`${inFlight} under way`]: async ({ small }, count) => {
    const lane = async () => {
      for (let i = 0; i < count / inFlight; i++) await small()
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
  },
  "64 KiB copied": async ({ copied }, count) => {
    let bytes = new Uint8Array(blockBytes)
    for (let i = 0; i < count; i++) bytes = await copied(bytes)
    if (bytes.byteLength !== blockBytes) throw new Error("something else came back")
  },
  "64 KiB moved": async ({ moved }, count) => {
    let bytes = new Uint8Array(blockBytes)
    for (let i = 0; i < count; i++) bytes = await moved(bytes)
    if (bytes.byteLength !== blockBytes) throw new Error("something else came back")
  }
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const rounds = Number(given.rounds ?? (given.quick ? 3 : 9))
const count = given.quick ? 640 : 3_200

const raw = await bare()
const subjects: ReadonlyArray<readonly [string, Subject]> = [
  ["bare MessageChannel", raw],
  ["deferToThread", deferred],
  ["ThreadTask", tasks]
]

print(machine.description())
print(`${rounds} rounds of ${count}, medians; microseconds for each`)
for (const [title, measured] of Object.entries(cases)) {
  const samples = subjects.map((): Array<number> => [])
  for (const [, subject] of subjects) await measured(subject, count)
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < subjects.length; index++) {
      const at = (index + round) % subjects.length
      samples[at]![round] = await microsEach(count, () => measured(subjects[at]![1], count))
    }
  }
  print(`\n${title.padEnd(24)}${"us".padStart(10)}${"x bare".padStart(10)}`)
  for (const [at, [name]] of subjects.entries()) {
    const ratio = median(samples[at]!.map((sample, round) => sample / samples[0]![round]!))
    print(`${name.padEnd(24)}${median(samples[at]!).toFixed(1).padStart(10)}${ratio.toFixed(2).padStart(10)}`)
  }
}

// --- a thread -------------------------------------------------------------------------------------------

const firstBare = async (): Promise<void> => {
  const subject = await bare()
  await subject.small()
  await subject.close()
}

const firstJob = (): Promise<void> =>
  Effect.runPromise(
    Effect.asVoid(Threads.deferToThread(jobs, "same", [1])).pipe(
      Effect.provide(NodeThreads.layer({ max: 1 }))
    )
  )

print(`\n${"start, one job, stop".padEnd(24)}${"ms".padStart(10)}`)
const started: ReadonlyArray<readonly [string, () => Promise<void>]> = [
  ["bare Worker", firstBare],
  ["deferToThread", firstJob]
]
const startSamples = started.map((): Array<number> => [])
for (let round = 0; round < rounds; round++) {
  for (const [at, [, start]] of started.entries()) {
    startSamples[at]!.push((await microsEach(1, start)) / 1_000)
  }
}
for (const [at, [name]] of started.entries()) {
  print(`${name.padEnd(24)}${median(startSamples[at]!).toFixed(1).padStart(10)}`)
}

await raw.close()
await Effect.runPromise(Scope.close(scope, Exit.void))
