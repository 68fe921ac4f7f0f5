/** How a process ended: by itself and well, or otherwise. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { ProcessSignal } from "./ProcessSignal.ts"

/** It ended by itself with code 0. Twisted: `ProcessDone`. */
export interface Done {
  readonly _tag: "Done"
  readonly exitCode: 0
}

export const done: Done = { _tag: "Done", exitCode: 0 }

/** It ended with another code, or a signal ended it; one of the two is there. Twisted: `ProcessTerminated`. */
export class Terminated extends Data.TaggedError("Terminated")<{
  readonly program: string
  readonly exitCode: number | undefined
  readonly signal: ProcessSignal | undefined
}> {
  override get message(): string {
    const { exitCode, program, signal } = this
    return signal === undefined
      ? `${program} ended with exit code ${exitCode}`
      : `${program} was ended by signal ${signal}`
  }
}

export type ProcessEnd = Done | Terminated

/** Succeeds where the process did. */
export const success = (end: ProcessEnd): Effect.Effect<void, Terminated> =>
  end._tag === "Done" ? Effect.void : Effect.fail(end)
