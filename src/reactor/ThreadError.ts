/** Why a job of another thread came to nothing: one error with a tagged `reason`, which `Effect.catchReason` narrows to. */
import * as Data from "effect/Data"

export interface ThreadReasonFields {
  /** What happened, one sentence, for a person. */
  readonly detail: string
  readonly cause?: unknown
}

// --- the job itself -------------------------------------------------------------------------------------

/**
 * The function threw, its promise was rejected, or its effect failed or died. `cause` is what it threw, as far as it can
 * cross: of an error the name, message, stack, `_tag`, cause and fields, not the class. A `ThreadTask` has typed errors.
 */
export class Threw extends Data.TaggedError("Threw")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** There is no such module, or it exports no such function. */
export class NotFound extends Data.TaggedError("NotFound")<
  ThreadReasonFields & { readonly what: "module" | "export" }
> {
  override get message(): string {
    return this.detail
  }
}

/** The module is there, but could not be loaded: its syntax, something that it imports, or its own code failed. */
export class NotLoaded extends Data.TaggedError("NotLoaded")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** Arguments, a result, or what was asked across the threads hold what the structured clone algorithm cannot copy. */
export class NotSerializable extends Data.TaggedError("NotSerializable")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** Something in the list of what is moved can not be moved, was moved before, or is there twice. */
export class NotTransferable extends Data.TaggedError("NotTransferable")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** A value that its schema refuses, before or after it crossed. */
export class InvalidValue extends Data.TaggedError("InvalidValue")<
  ThreadReasonFields & { readonly what: "payload" | "success" | "error" | "progress" }
> {
  override get message(): string {
    return this.detail
  }
}

// --- the thread below it --------------------------------------------------------------------------------

/** An error that nobody caught ended the thread: thrown in a timer or event, or a promise rejected unheard. */
export class Crashed extends Data.TaggedError("Crashed")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** The thread reached the limit of its heap. */
export class OutOfMemory extends Data.TaggedError("OutOfMemory")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** Something in the thread called `process.exit`. */
export class Exited extends Data.TaggedError("Exited")<ThreadReasonFields & { readonly code: number }> {
  override get message(): string {
    return this.detail
  }
}

/** The platform refused to start a thread. */
export class NotStarted extends Data.TaggedError("NotStarted")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

// --- the pool -------------------------------------------------------------------------------------------

/** As many jobs wait as may wait, and this one was not to wait for a place among them. */
export class QueueFull extends Data.TaggedError("QueueFull")<
  ThreadReasonFields & { readonly queueMax: number }
> {
  override get message(): string {
    return this.detail
  }
}

/** The pool's scope has ended. Twisted drops such calls without a word. */
export class Stopped extends Data.TaggedError("Stopped")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

// --- what a job asks of the main side -------------------------------------------------------------------

/** The pool was given no such service, or the service has no such method. */
export class NotExposed extends Data.TaggedError("NotExposed")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** The service's method failed or died; `cause` is as that of `Threw`. */
export class CallFailed extends Data.TaggedError("CallFailed")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

/** The job was cancelled while it waited for the answer, or was over when it asked. */
export class Cancelled extends Data.TaggedError("Cancelled")<ThreadReasonFields> {
  override get message(): string {
    return this.detail
  }
}

export type ThreadReason =
  | Threw
  | NotFound
  | NotLoaded
  | NotSerializable
  | NotTransferable
  | InvalidValue
  | Crashed
  | OutOfMemory
  | Exited
  | NotStarted
  | QueueFull
  | Stopped
  | NotExposed
  | CallFailed
  | Cancelled

/** A job of another thread, or what such a job asked of the main side, failed. */
export class ThreadError extends Data.TaggedError("ThreadError")<{
  /** `run` for a job, `call` for what a job asks. */
  readonly operation: "run" | "call"
  /** The module's specifier and the export, or the service and its method: `file:///hash.ts#sha256`. */
  readonly job: string
  readonly reason: ThreadReason
}> {
  override get message(): string {
    const what = this.operation === "run" ? "in a thread" : "from a thread"
    return `${this.job} ${what}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
