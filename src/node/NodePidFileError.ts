/** Why a pid file was not taken, or cannot be read. */
import * as Data from "effect/Data"
import { visible } from "../result/VisibleText.ts"

/** The process that the file names runs. Twisted: `AlreadyRunningError`, "Another twistd server is running". */
export class AlreadyRunning extends Data.TaggedError("AlreadyRunning")<{ readonly pid: number }> {
  override get message(): string {
    return this.pid === process.pid
      ? `this process (${this.pid}) has it already`
      : `it is running already, as process ${this.pid}`
  }
}

/** What is there is no pid file. It is left alone. Twisted: `InvalidPIDFileError`. */
export class NotAPidFile extends Data.TaggedError("NotAPidFile")<{ readonly detail: string }> {
  override get message(): string {
    return `it is no pid file: ${this.detail}; remove it if nobody needs it`
  }
}

/** Others take it and leave it all the time. */
export class Contended extends Data.TaggedError("Contended")<{}> {
  override get message(): string {
    return "other processes are taking it at this moment"
  }
}

/** The file system says no. */
export class Inaccessible extends Data.TaggedError("Inaccessible")<{
  readonly detail: string
  /** The operating system's name for it (`EACCES`, ...). */
  readonly errno: string
  readonly cause: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

export type PidFileReason = AlreadyRunning | NotAPidFile | Contended | Inaccessible

export class PidFileError extends Data.TaggedError("PidFileError")<{
  /** Absolute. */
  readonly path: string
  readonly reason: PidFileReason
}> {
  override get message(): string {
    return `pid file ${visible(this.path)}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return this.reason._tag === "Inaccessible" ? this.reason.cause : undefined
  }
}
