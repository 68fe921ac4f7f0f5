/**
 * What runs in each thread of the pool: loads modules, runs their exports, one job at a time. Effect is loaded when a
 * job gives the first effect: a thread starts three times as fast without, and a module that makes effects has it anyway.
 */
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  type Transferable as NodeTransferable,
  workerData
} from "node:worker_threads"
import type {
  ThreadAnswer,
  ThreadJob,
  ThreadQuestion,
  Transferable,
  Transferred
} from "../reactor/ThreadJob.ts"
import {
  answersFlag,
  begunFlag,
  type BlockingAnswer,
  cancelledFlag,
  type Carried,
  carry,
  type FromThread,
  isAboutMoving,
  messageOf,
  type Outcome,
  type ThreadData,
  type ToThread,
  uncarry
} from "./NodeThreadsMessage.ts"

const { answers, flags } = workerData as ThreadData
const port = parentPort as MessagePort

const post = (message: FromThread, transfer: ReadonlyArray<Transferable> = []): void =>
  port.postMessage(message, transfer as Array<NodeTransferable>)

const overWhenAsked: ThreadAnswer = {
  _tag: "Cancelled",
  detail: "the job was cancelled, or is over",
  cause: undefined
}

const received = (answer: ThreadAnswer): ThreadAnswer =>
  answer._tag === "Success" || answer.cause === undefined
    ? answer
    : { ...answer, cause: uncarry(answer.cause as Carried) }

let calls = 0

class Job implements ThreadJob<unknown> {
  readonly id: number
  over = false
  /** Ends the effect that it runs. */
  interrupt: (() => void) | undefined = undefined
  private controller: AbortController | undefined = undefined
  private readonly asking = new Map<number, (answer: ThreadAnswer) => void>()

  constructor(id: number) {
    this.id = id
  }

  get cancelled(): boolean {
    return Atomics.load(flags, cancelledFlag) === this.id
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.cancelled) this.controller.abort()
    return this.controller.signal
  }

  readonly progress = (value: unknown): void => {
    if (!this.over) post({ _tag: "Progress", id: this.id, value })
  }

  readonly transfer = <A>(value: A, transfer: ReadonlyArray<Transferable>): Transferred<A> => ({
    "~spindle/reactor/Transferred": { value, transfer }
  })

  readonly ask = async (question: ThreadQuestion): Promise<ThreadAnswer> => {
    if (this.over || this.cancelled) return overWhenAsked
    const call = calls++
    post({ _tag: "Call", id: this.id, call, blocking: false, question })
    return new Promise((resolve) => this.asking.set(call, resolve))
  }

  readonly askBlocking = (question: ThreadQuestion): ThreadAnswer => {
    if (this.over || this.cancelled) return overWhenAsked
    const call = calls++
    post({ _tag: "Call", id: this.id, call, blocking: true, question })
    for (;;) {
      const seen = Atomics.load(flags, answersFlag)
      const next = receiveMessageOnPort(answers) as { readonly message: BlockingAnswer } | undefined
      if (next === undefined) Atomics.wait(flags, answersFlag, seen)
      // Another would be an earlier job's.
      else if (next.message.call === call) return received(next.message.answer)
    }
  }

  answered(call: number, answer: ThreadAnswer): void {
    const resolve = this.asking.get(call)
    this.asking.delete(call)
    resolve?.(received(answer))
  }

  cancel(): void {
    this.controller?.abort()
    this.interrupt?.()
  }

  end(outcome: Outcome, transfer: ReadonlyArray<Transferable>): void {
    try {
      post({ _tag: "Ended", id: this.id, outcome }, transfer)
    } catch (error) {
      const _tag = isAboutMoving(error, transfer) ? "NotTransferable" : "NotSerializable"
      const detail = `the result cannot be copied or moved: ${messageOf(error)}`
      post({ _tag: "Ended", id: this.id, outcome: { _tag, detail, cause: carry(error) } })
    }
    this.over = true
    for (const resolve of this.asking.values()) resolve(overWhenAsked)
    this.asking.clear()
  }
}

// --- modules --------------------------------------------------------------------------------------------

type Exports = Readonly<Record<string, unknown>>

const loaded = new Map<string, Exports>()

const load = async (specifier: string): Promise<Exports> => {
  // It would be read as relative to this file.
  if (/^\.{0,2}\//.test(specifier) || specifier.startsWith("."))
    throw Object.assign(new Error(`no absolute specifier: ${specifier}`), { code: "ERR_MODULE_NOT_FOUND" })
  const exports = (await import(specifier)) as Exports
  loaded.set(specifier, exports)
  return exports
}

const absent = new Set(["ERR_MODULE_NOT_FOUND", "ERR_UNKNOWN_BUILTIN_MODULE", "ERR_INVALID_MODULE_SPECIFIER"])

/** The module itself is not there, rather than something that it imports. */
const isAbsent = (error: unknown, specifier: string): boolean => {
  const { code, message, url } = error as {
    readonly code?: string
    readonly message?: string
    readonly url?: string
  }
  if (code === undefined || !absent.has(code)) return false
  return url === undefined ? (message ?? "").includes(specifier) : url === specifier
}

const notLoaded = (error: unknown, specifier: string): Outcome => ({
  _tag: isAbsent(error, specifier) ? "NotFoundModule" : "NotLoaded",
  detail: messageOf(error),
  cause: carry(error)
})

// --- running --------------------------------------------------------------------------------------------

const threw = (error: unknown): Outcome => ({ _tag: "Threw", detail: messageOf(error), cause: carry(error) })

const isEffect = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "~effect/Effect" in value

const effects = () => import("./NodeThreadsEffect.ts")
let runner: Awaited<ReturnType<typeof effects>> | undefined

const begin = async (job: Job, message: Extract<ToThread, { readonly _tag: "Run" }>): Promise<void> => {
  let exports: Exports
  try {
    exports = loaded.get(message.module) ?? (await load(message.module))
  } catch (error) {
    return job.end(notLoaded(error, message.module), [])
  }
  if (job.cancelled) return job.end({ _tag: "Cancelled" }, [])
  const run = Object.hasOwn(exports, message.name) ? exports[message.name] : undefined
  if (typeof run !== "function") {
    const detail = `it exports no function "${message.name}"`
    return job.end({ _tag: "NotFoundExport", detail, cause: carry(undefined) }, [])
  }
  let outcome: Outcome
  let transfer: ReadonlyArray<Transferable> = []
  try {
    let value: unknown = Reflect.apply(run, job, message.args)
    if (value instanceof Promise) value = await value
    if (isEffect(value)) {
      runner ??= await effects()
      outcome = await runner.run(value, job, (interrupt) => (job.interrupt = interrupt))
    } else {
      // Other promises than Node's own.
      outcome = { _tag: "Success", value: await value }
    }
  } catch (error) {
    outcome = job.cancelled ? { _tag: "Cancelled" } : threw(error)
  }
  if (outcome._tag === "Success") {
    const moved = (outcome.value as Partial<Transferred<unknown>> | null | undefined)?.[
      "~spindle/reactor/Transferred"
    ]
    if (moved !== undefined) {
      outcome = { _tag: "Success", value: moved.value }
      transfer = moved.transfer
    }
  }
  job.end(outcome, transfer)
}

let current: Job | undefined

port.on("message", (message: ToThread) => {
  switch (message._tag) {
    case "Run": {
      Atomics.store(flags, begunFlag, message.id)
      current = new Job(message.id)
      void begin(current, message)
      return
    }
    case "Cancel": {
      if (current?.id === message.id) current.cancel()
      return
    }
    case "Answer": {
      current?.answered(message.call, message.answer)
      return
    }
    case "Stop": {
      process.exit(0)
    }
  }
})
