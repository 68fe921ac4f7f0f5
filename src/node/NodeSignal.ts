/** Signals to processes that are not children. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import { startOf } from "./NodeProcessStart.ts"

/** Whether it does anything any more: one that has ended, and whose parent has not looked yet, does not. */
export const isAlive = (pid: number): boolean => startOf(pid) !== undefined

export class SignalError extends Data.TaggedError("SignalError")<{
  readonly pid: number
  readonly signal: string
  readonly errno: string
}> {
  override get message(): string {
    return `process ${this.pid} cannot be sent SIG${this.signal}: ${this.errno}`
  }
}

/** Sends it; nothing happens where the process is gone. */
export const send = (
  pid: number,
  signal: "HUP" | "INT" | "KILL" | "TERM" | "USR1" | "USR2"
): Effect.Effect<void, SignalError> =>
  Effect.suspend(() => {
    try {
      process.kill(pid, `SIG${signal}`)
      return Effect.void
    } catch (error) {
      const errno = Errno.codeOf(error) ?? "unknown"
      return errno === "ESRCH" ? Effect.void : Effect.fail(new SignalError({ pid, signal, errno }))
    }
  })
