/** Where lines go: a file, a socket, another program. It takes them at once, and writes them soon. */
import type * as Effect from "effect/Effect"

export interface LogSink {
  /** A line, without its end. Never waits, never throws; what it cannot keep it counts. */
  readonly write: (line: string) => void
  /** Has written, when it is done, what it was given. */
  readonly flush: Effect.Effect<void>
}
