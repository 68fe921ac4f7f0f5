/** What can go wrong with a process: it does not start, or an operation on a live one fails. */
import * as Data from "effect/Data"
import { visible } from "./EndpointExcerpt.ts"

export interface SpawnReasonFields {
  /** What happened, one sentence, for a person. */
  readonly detail: string
  /** The operating system's name for it (`ENOENT`, ...), where it came from there. */
  readonly errno?: string | undefined
  readonly cause?: unknown
}

/** There is no such program, neither at its path nor in the child's `PATH`: ENOENT, ENOTDIR. */
export class ProgramNotFound extends Data.TaggedError("ProgramNotFound")<SpawnReasonFields> {}
/** The file is there, and nothing that can be run; or what it names as its interpreter is not: EACCES, ENOEXEC, ENOENT. */
export class NotExecutable extends Data.TaggedError("NotExecutable")<SpawnReasonFields> {}
/** `cwd` does not exist, is no directory, or may not be entered. */
export class BadDirectory extends Data.TaggedError("BadDirectory")<SpawnReasonFields> {}
/** A descriptor that the child was to inherit is not open: EBADF. */
export class BadDescriptor extends Data.TaggedError("BadDescriptor")<SpawnReasonFields> {}
/** This process may not become that user or group: EPERM. */
export class NotPermitted extends Data.TaggedError("NotPermitted")<SpawnReasonFields> {}
/** Arguments and environment together are more than the system takes: E2BIG. */
export class ArgumentsTooLong extends Data.TaggedError("ArgumentsTooLong")<SpawnReasonFields> {}
/** Out of processes, descriptors or memory: EAGAIN, EMFILE, ENFILE, ENOMEM. */
export class OutOfResources extends Data.TaggedError("OutOfResources")<SpawnReasonFields> {}
/** What can never be asked for: a NUL character, no program, a descriptor's number that is none. */
export class InvalidCommand extends Data.TaggedError("InvalidCommand")<SpawnReasonFields> {}
/** This platform cannot, or what it needs for it is not installed. */
export class Unsupported extends Data.TaggedError("Unsupported")<SpawnReasonFields> {}
/** What no class above names; `errno` and `cause` tell more. */
export class UnknownReason extends Data.TaggedError("Unknown")<SpawnReasonFields> {}

export type SpawnReason =
  | ProgramNotFound
  | NotExecutable
  | BadDirectory
  | BadDescriptor
  | NotPermitted
  | ArgumentsTooLong
  | OutOfResources
  | InvalidCommand
  | Unsupported
  | UnknownReason

/** There is no process; nothing is left of the attempt. Never thrown, always a failure of `spawn`. */
export class SpawnFailed extends Data.TaggedError("SpawnFailed")<{
  readonly program: string
  readonly reason: SpawnReason
}> {
  override get message(): string {
    return `cannot start ${visible(this.program)}: ${visible(this.reason.detail)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

/** The process is gone, and nobody got the signal. Twisted: `ProcessExitedAlready`. */
export class ExitedAlready extends Data.TaggedError("ExitedAlready")<SpawnReasonFields> {}
/** It became another user's: EPERM. */
export class SignalNotPermitted extends Data.TaggedError("SignalNotPermitted")<SpawnReasonFields> {}
/** No such signal here: EINVAL. */
export class InvalidSignal extends Data.TaggedError("InvalidSignal")<SpawnReasonFields> {}

/** A signal could not be sent. */
export class SignalFailed extends Data.TaggedError("SignalFailed")<{
  readonly program: string
  readonly pid: number
  readonly signal: string | number
  readonly reason: ExitedAlready | SignalNotPermitted | InvalidSignal
}> {
  override get message(): string {
    return `cannot send ${this.signal} to ${visible(this.program)} (${this.pid}): ${this.reason.detail}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
