/** One thread of a pool, seen from outside: its job, its answers, its end. */
import {
  MessageChannel,
  type MessagePort,
  type Transferable,
  Worker,
  type WorkerOptions
} from "node:worker_threads"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  Crashed,
  Exited,
  NotFound,
  NotLoaded,
  NotSerializable,
  NotTransferable,
  OutOfMemory,
  Threw,
  type ThreadReason
} from "../reactor/ThreadError.ts"
import type { JobRequest } from "../reactor/Threads.ts"
import type { NodeThreadsCalls } from "./NodeThreadsCalls.ts"
import {
  answersFlag,
  begunFlag,
  type BlockingAnswer,
  cancelledFlag,
  type CarriedAnswer,
  carry,
  flagsCount,
  type FromThread,
  isAboutMoving,
  messageOf,
  type Outcome,
  type ThreadData,
  type ToThread,
  uncarry
} from "./NodeThreadsMessage.ts"

/** A job that has a thread. */
export interface Assigned {
  readonly request: JobRequest
}

/** What became of a job: a value, a reason, or nothing because it was cancelled. */
export type Ending =
  | { readonly _tag: "Success"; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly reason: ThreadReason }
  | { readonly _tag: "Cancelled" }

/** How a thread went. */
export interface Loss {
  /** Undefined where it was told to end. */
  readonly reason: ThreadReason | undefined
  /** Its job had nothing to do with that, and can be done elsewhere: the thread, which had done others, never began it. */
  readonly untouched: boolean
}

/** Whom a thread tells. */
export interface Keeper<J extends Assigned> {
  /** A job is over, and the thread is free. */
  readonly onEnded: (thread: NodeThread<J>, job: J, ending: Ending) => void
  /** The thread is gone, and its job with it. */
  readonly onGone: (thread: NodeThread<J>, job: J | undefined, loss: Loss) => void
}

const main = new URL(`./NodeThreadsMain.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url)

export class NodeThread<J extends Assigned> {
  job: J | undefined = undefined
  /** When it had nothing to do any more, in milliseconds of the pool's clock. */
  idleSince = 0
  /** It was told to end, and gets no more jobs. */
  ending = false
  readonly gone = Deferred.makeUnsafe<void>()

  private readonly worker: Worker
  private readonly keeper: Keeper<J>
  private readonly calls: NodeThreadsCalls
  private readonly answers: MessagePort
  private readonly flags: Int32Array
  private readonly answering = new Set<() => void>()
  /** The number of the job, from 1. */
  private id = 0
  private idle: Deferred.Deferred<void> | undefined = undefined
  private failure: ThreadReason | undefined = undefined

  /** Throws what Node says to options that it does not take. */
  constructor(keeper: Keeper<J>, calls: NodeThreadsCalls, options: WorkerOptions) {
    const { port1, port2 } = new MessageChannel()
    this.keeper = keeper
    this.calls = calls
    this.answers = port1
    this.flags = new Int32Array(new SharedArrayBuffer(4 * flagsCount))
    const workerData: ThreadData = { flags: this.flags, answers: port2 }
    try {
      this.worker = new Worker(main, { ...options, workerData, transferList: [port2] })
    } catch (error) {
      port1.close()
      throw error
    }
    this.worker.on("message", this.onMessage)
    this.worker.on("error", (error) => (this.failure ??= crashReason(error)))
    this.worker.on("messageerror", this.onUnreadable)
    this.worker.on("exit", this.onExit)
    // Nothing to do holds no process.
    this.worker.unref()
  }

  /** Gives the thread a job; it has none. Says why it cannot have it, and is free then. */
  begin(job: J): ThreadReason | undefined {
    const { args, module, name, transfer } = job.request
    const message: ToThread = { _tag: "Run", id: this.id + 1, module, name, args }
    try {
      this.worker.postMessage(message, transfer as ReadonlyArray<Transferable> | undefined)
    } catch (error) {
      return uncopied(error, isAboutMoving(error, transfer))
    }
    this.id++
    this.job = job
    this.worker.ref()
    return undefined
  }

  /** Ends the job and waits until it has ended: by itself, or after `grace` with the thread. */
  cancel(job: J, grace: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.job !== job) return Effect.void
      Atomics.store(this.flags, cancelledFlag, this.id)
      this.post({ _tag: "Cancel", id: this.id })
      this.stopAnswering()
      this.idle ??= Deferred.makeUnsafe<void>()
      return this.orTerminated(Deferred.await(this.idle), grace)
    })
  }

  /** Ends the thread, which has no job, and waits until it is gone. */
  stop(grace: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.ending = true
      this.worker.ref()
      this.post({ _tag: "Stop" })
      return this.orTerminated(Deferred.await(this.gone), grace)
    })
  }

  private orTerminated(done: Effect.Effect<void>, grace: Duration.Input): Effect.Effect<void> {
    return Effect.flatMap(Effect.timeoutOption(done, grace), (ended) => {
      if (ended._tag === "Some") return Effect.void
      this.ending = true
      this.worker.ref()
      return Effect.andThen(
        Effect.promise(() => this.worker.terminate()),
        Deferred.await(this.gone)
      )
    })
  }

  private post(message: ToThread): void {
    this.worker.postMessage(message)
  }

  private readonly onMessage = (message: FromThread): void => {
    switch (message._tag) {
      case "Ended": {
        if (message.id === this.id) this.release(endingOf(message.outcome))
        return
      }
      case "Progress": {
        if (message.id === this.id) this.job?.request.onProgress?.(message.value)
        return
      }
      case "Call": {
        this.onCall(message)
        return
      }
    }
  }

  private release(ending: Ending): void {
    const { idle, job } = this
    if (job === undefined) return
    this.job = undefined
    this.idle = undefined
    this.stopAnswering()
    if (!this.ending) this.worker.unref()
    this.keeper.onEnded(this, job, ending)
    if (idle !== undefined) Deferred.doneUnsafe(idle, Effect.void)
  }

  private onCall({ blocking, call, id, question }: Extract<FromThread, { readonly _tag: "Call" }>): void {
    const isOver = id !== this.id || this.job === undefined || this.idle !== undefined
    const send = (answer: CarriedAnswer) => {
      if (blocking) {
        this.answers.postMessage({ call, answer } satisfies BlockingAnswer)
        Atomics.add(this.flags, answersFlag, 1)
        Atomics.notify(this.flags, answersFlag)
      } else this.post({ _tag: "Answer", call, answer })
    }
    let interrupt: (() => void) | undefined
    const answer = (given: CarriedAnswer) => {
      if (interrupt !== undefined) this.answering.delete(interrupt)
      interrupt = () => {}
      try {
        send(given)
      } catch (error) {
        const detail = `the answer cannot be copied: ${messageOf(error)}`
        send({ _tag: "NotSerializable", detail, cause: carry(error) })
      }
    }
    if (isOver) return answer({ _tag: "Cancelled", detail: "the job is over", cause: undefined })
    const stop = this.calls.begin(question, answer)
    // Answered meanwhile, within the call.
    if (interrupt !== undefined) return
    interrupt = stop
    this.answering.add(stop)
  }

  private stopAnswering(): void {
    for (const interrupt of this.answering) interrupt()
    this.answering.clear()
  }

  /** Something arrived that this side cannot unpack, perhaps the result: nobody can tell any more. */
  private readonly onUnreadable = (error: unknown): void => {
    this.failure ??= new NotSerializable({
      detail: `what the thread sent: ${messageOf(error)}`,
      cause: error
    })
    void this.worker.terminate()
  }

  private readonly onExit = (code: number): void => {
    const { idle, job } = this
    this.job = undefined
    this.stopAnswering()
    this.answers.close()
    const reason = this.ending ? undefined : (this.failure ?? exited(code))
    this.ending = true
    const isBegun = Atomics.load(this.flags, begunFlag) === this.id
    const isMoved = (job?.request.transfer?.length ?? 0) > 0
    this.keeper.onGone(this, job, { reason, untouched: !isBegun && !isMoved && this.id > 1 })
    Deferred.doneUnsafe(this.gone, Effect.void)
    if (idle !== undefined) Deferred.doneUnsafe(idle, Effect.void)
  }
}

// --- reasons --------------------------------------------------------------------------------------------

const exited = (code: number) => new Exited({ code, detail: `the thread exited with code ${code}` })

const crashReason = (error: unknown): ThreadReason => {
  const isMemory = (error as { readonly code?: unknown } | null)?.code === "ERR_WORKER_OUT_OF_MEMORY"
  return isMemory
    ? new OutOfMemory({ detail: "the thread ran out of memory", cause: error })
    : new Crashed({ detail: `the thread crashed: ${messageOf(error)}`, cause: error })
}

const uncopied = (error: unknown, moving: boolean): ThreadReason => {
  const text = messageOf(error)
  return moving
    ? new NotTransferable({ detail: `the arguments cannot be moved: ${text}`, cause: error })
    : new NotSerializable({ detail: `the arguments cannot be copied: ${text}`, cause: error })
}

const endingOf = (outcome: Outcome): Ending => {
  if (outcome._tag === "Success" || outcome._tag === "Cancelled") return outcome
  const { detail } = outcome
  const cause = uncarry(outcome.cause)
  switch (outcome._tag) {
    case "Threw":
      return { _tag: "Failure", reason: new Threw({ detail, cause }) }
    case "NotFoundModule":
      return { _tag: "Failure", reason: new NotFound({ what: "module", detail, cause }) }
    case "NotFoundExport":
      return { _tag: "Failure", reason: new NotFound({ what: "export", detail }) }
    case "NotLoaded":
      return { _tag: "Failure", reason: new NotLoaded({ detail, cause }) }
    case "NotSerializable":
      return { _tag: "Failure", reason: new NotSerializable({ detail, cause }) }
    case "NotTransferable":
      return { _tag: "Failure", reason: new NotTransferable({ detail, cause }) }
  }
}

/** What a caller gets of an ending; `undefined` where it is still to be said why. */
export const exitOf = (ending: Ending): Exit.Exit<unknown, ThreadReason> | undefined =>
  ending._tag === "Cancelled"
    ? undefined
    : ending._tag === "Success"
      ? Exit.succeed(ending.value)
      : Exit.fail(ending.reason)
