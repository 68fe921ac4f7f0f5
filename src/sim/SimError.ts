import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"

const list = (title: string, lines: ReadonlyArray<string>) =>
  lines.length === 0 ? "" : `\n  ${title}:${lines.map((line) => `\n    ${line}`).join("")}`

/** Nothing can go on, and nothing is planned, though the program is not over. */
export class Deadlock extends Data.TaggedError("Deadlock")<{
  /** Each fiber that waits: where, its name, what for as far as that is known. */
  readonly waiting: ReadonlyArray<string>
  /** What is open on the network. */
  readonly open: ReadonlyArray<string>
}> {
  override get message(): string {
    return `everybody waits, and for nothing that will come${list("waiting", this.waiting)}${list("open", this.open)}`
  }
}

/** The program went outside the world, or something from outside reached in: the run cannot be repeated. */
export class Outside extends Data.TaggedError("Outside")<{
  /** What was used: `setTimeout`, a promise, ... */
  readonly what: string
  /** The fiber's name, if one is known. */
  readonly fiber: string | undefined
  /** The first place of the program on the stack, if any. */
  readonly place: string | undefined
  /** Where that is not known: each fiber that waits. */
  readonly waiting?: ReadonlyArray<string> | undefined
}> {
  override get message(): string {
    const by = this.fiber === undefined ? "" : ` by ${this.fiber}`
    const at = this.place === undefined ? "" : ` at ${this.place}`
    return `${this.what}${by}${at}: this is outside the world, and cannot be repeated${list("waiting", this.waiting ?? [])}`
  }
}

/** The run took more steps, or more virtual time, than it may. */
export class LimitReached extends Data.TaggedError("LimitReached")<{
  readonly limit: "steps" | "virtual time"
  readonly max: string
  /** What is still going on. */
  readonly waiting: ReadonlyArray<string>
}> {
  override get message(): string {
    return `the run did not end within ${this.max} (${this.limit})${list("alive", this.waiting)}`
  }
}

/** What must always be true is not. */
export class InvariantBroken extends Data.TaggedError("InvariantBroken")<{
  readonly name: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `"${this.name}" does not hold${this.detail === "" ? "" : `: ${this.detail}`}`
  }
}

/** The program of a host failed, and nobody had said that it may. */
export class HostFailed extends Data.TaggedError("HostFailed")<{
  readonly host: string
  readonly cause: Cause.Cause<unknown>
  readonly detail: string
}> {
  override get message(): string {
    return `the program of host "${this.host}" failed: ${this.detail}`
  }
}

export type Reason = Deadlock | Outside | LimitReached | InvariantBroken | HostFailed

/** The host that was to give an answer has crashed. */
export class Crashed extends Data.TaggedError("Crashed")<{ readonly host: string }> {
  override get message(): string {
    return `the host "${this.host}" crashed`
  }
}

/** A run that did not come to the end of its program. */
export class SimError extends Data.TaggedError("SimError")<{
  readonly seed: string
  readonly steps: number
  /** Virtual time when it ended, for people. */
  readonly time: string
  readonly reason: Reason
}> {
  override get message(): string {
    return `seed ${this.seed}, step ${this.steps}, ${this.time}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return this.reason
  }
}
