/** Why a service cannot be had as it was asked for, or has failed: the reasons of `ServiceError`. */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type * as Failure from "../result/Failure.ts"
import { failureSentence } from "./failureSentence.ts"

export type ServiceReason =
  | InvalidName
  | DuplicateName
  | UnknownName
  | Cycle
  | StartFailed
  | StartTimeout
  | EndedEarly
  | Ended
  | NotAlive
  | StopTimeout
  | IntensityExceeded
  | GivenUp
  | ReloadFailed
  | Stopped
  | NotFound
  | NotAGroup
  | InUse
  | Reentrant

/** In which phase of a start something went wrong. */
export type Phase = "privileged" | "start" | "run" | "ready"

const meant = (suggestion: string | undefined): string =>
  suggestion === undefined ? "" : `; did you mean "${suggestion}"?`

/** A name is not empty, and has neither `/` nor control characters nor space around it. */
export class InvalidName extends Data.TaggedError("InvalidName")<{ readonly name: string }> {
  override get message(): string {
    return `"${this.name}" is no name for a service: it must not be empty, begin or end with space, or contain "/" or control characters`
  }
}

/** Two services of a group have the same name. */
export class DuplicateName extends Data.TaggedError("DuplicateName")<{ readonly name: string }> {
  override get message(): string {
    return `there is already a service "${this.name}" in this group`
  }
}

/** `after` names no sibling. */
export class UnknownName extends Data.TaggedError("UnknownName")<{
  readonly name: string
  readonly suggestion: string | undefined
}> {
  override get message(): string {
    return `it is to start after "${this.name}", which is no service of its group${meant(this.suggestion)}`
  }
}

/** Services wait for each other. */
export class Cycle extends Data.TaggedError("Cycle")<{
  /** Each starts after the next; the last is the first. */
  readonly names: ReadonlyArray<string>
  /** Each step of it, in words. */
  readonly steps: ReadonlyArray<string>
}> {
  override get message(): string {
    return `its services wait for each other: ${this.names.join(" -> ")} (${this.steps.join("; ")})`
  }
}

interface Failed {
  readonly failure: Failure.Failure<unknown>
}

/** It failed while it started. */
export class StartFailed extends Data.TaggedError("StartFailed")<Failed & { readonly phase: Phase }> {
  override get message(): string {
    const where = this.phase === "privileged" ? " (privileged phase)" : ""
    return `cannot start${where}: ${failureSentence(this.failure)}`
  }
  override get cause(): unknown {
    return this.failure.cause
  }
}

/** It took longer than `startTimeout` to start, or to be ready; or what a stop had left behind of it did not end. */
export class StartTimeout extends Data.TaggedError("StartTimeout")<{
  readonly phase: Phase | "leftBehind"
  readonly timeout: Duration.Duration
}> {
  override get message(): string {
    const within = `within ${Duration.format(this.timeout)}`
    return this.phase === "ready"
      ? `was not ready ${within}`
      : this.phase === "leftBehind"
        ? `cannot start: what was left behind when it was stopped has not ended ${within}`
        : `did not start ${within}${this.phase === "privileged" ? " (privileged phase)" : ""}`
  }
}

/** Its `run` ended before it was ready. */
export class EndedEarly extends Data.TaggedError("EndedEarly")<{}> {
  override get message(): string {
    return "cannot start: it ended before it was ready"
  }
}

/** Its `run` ended, and it is `permanent`. */
export class Ended extends Data.TaggedError("Ended")<{}> {
  override get message(): string {
    return "it ended, though it is permanent"
  }
}

/** Its liveness probe said no so many times in a row. */
export class NotAlive extends Data.TaggedError("NotAlive")<Failed & { readonly failures: number }> {
  override get message(): string {
    return `its liveness probe failed ${this.failures} times in a row, last with: ${failureSentence(this.failure)}`
  }
  override get cause(): unknown {
    return this.failure.cause
  }
}

/** It did not stop in time, and was left behind. */
export class StopTimeout extends Data.TaggedError("StopTimeout")<{ readonly timeout: Duration.Duration }> {
  override get message(): string {
    return `did not stop within ${Duration.format(this.timeout)}, and is left behind`
  }
}

/** Of a group: its services failed more often than `intensity` allows. */
export class IntensityExceeded extends Data.TaggedError("IntensityExceeded")<
  Failed & {
    readonly restarts: number
    readonly period: Duration.Duration
    /** The path of the service that failed last. */
    readonly last: string
  }
> {
  override get message(): string {
    const { last, period, restarts } = this
    return `more than ${restarts} restarts in ${Duration.format(period)}, the last failure in ${last}: ${failureSentence(this.failure)}`
  }
  override get cause(): unknown {
    return this.failure.cause
  }
}

/** Of a group: the backoff of one of its services has come to its end. */
export class GivenUp extends Data.TaggedError("GivenUp")<Failed & { readonly last: string }> {
  override get message(): string {
    return `${this.last} has failed, and its backoff allows no more tries: ${failureSentence(this.failure)}`
  }
  override get cause(): unknown {
    return this.failure.cause
  }
}

/** It could not take a new configuration over. It runs on. */
export class ReloadFailed extends Data.TaggedError("ReloadFailed")<Failed> {
  override get message(): string {
    return `cannot reload: ${failureSentence(this.failure)}`
  }
  override get cause(): unknown {
    return this.failure.cause
  }
}

/** It, or a group that it is in, does not run, or was stopped meanwhile. */
export class Stopped extends Data.TaggedError("Stopped")<{
  /** The path of what does not run. */
  readonly stopped: string
}> {
  override get message(): string {
    return `${this.stopped} does not run, or was stopped meanwhile`
  }
}

/** There is no service with such a name or path. */
export class NotFound extends Data.TaggedError("NotFound")<{
  readonly name: string
  readonly suggestion: string | undefined
}> {
  override get message(): string {
    return `there is no service "${this.name}" in it${meant(this.suggestion)}`
  }
}

/** Only groups have services in them. */
export class NotAGroup extends Data.TaggedError("NotAGroup")<{}> {
  override get message(): string {
    return "is no group: it has no services in it"
  }
}

/** Others depend on it: it cannot be removed. */
export class InUse extends Data.TaggedError("InUse")<{ readonly by: ReadonlyArray<string> }> {
  override get message(): string {
    return `cannot be removed: ${this.by.join(", ")} ${this.by.length === 1 ? "depends" : "depend"} on it`
  }
}

/** A service asked in its start, or in a finalizer, for what can only be done when that is over: it would wait for itself. */
export class Reentrant extends Data.TaggedError("Reentrant")<{
  /** The path of who asked. */
  readonly by: string
}> {
  override get message(): string {
    return `${this.by} asks for this while it is itself being started or stopped, and would wait for itself: ask in run`
  }
}
