import * as Data from "effect/Data"

/** The application stopped because of this signal, and by it the process is to end. */
export class EndedBySignal extends Data.TaggedError("EndedBySignal")<{
  readonly signal: "TERM" | "INT"
}> {
  override get message(): string {
    return `ended by SIG${this.signal}`
  }
}
