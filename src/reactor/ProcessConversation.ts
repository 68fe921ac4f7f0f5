/** A process as its events, in Twisted's order. Twisted: `ProcessProtocol`. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Process } from "./Process.ts"
import { type ChildFDs, type Command, isPipe, modesOf } from "./ProcessCommand.ts"
import type { ProcessEnd } from "./ProcessEnd.ts"

/** What an event does. */
export type Handled = Effect.Effect<unknown, unknown, unknown>

/**
 * What to do when something happens; what has no handler is dropped.
 *
 * - `connected` begins before anything else, and holds up nothing: a child whose output nobody took could not take all its input.
 * - The pieces of one descriptor come one after another, each when the one before is dealt with; then its `lost`, once.
 *   Descriptors do not wait for each other.
 * - `exited` comes when the process is gone, `ended` when all its pipes are lost, too, and all handlers are through: last.
 */
export interface ProcessEvents<F extends ChildFDs = {}> {
  /** Twisted: `connectionMade`. */
  readonly connected?: ((process: Process<F>) => Handled) | undefined
  /** Bytes of standard output. Twisted: `outReceived`. */
  readonly out?: ((bytes: Uint8Array, process: Process<F>) => Handled) | undefined
  /** Bytes of standard error. Twisted: `errReceived`. */
  readonly err?: ((bytes: Uint8Array, process: Process<F>) => Handled) | undefined
  /** Bytes of any other descriptor. Twisted: `childDataReceived`. */
  readonly received?: ((fd: number, bytes: Uint8Array, process: Process<F>) => Handled) | undefined
  /** A pipe is closed: nothing more comes, or nothing more is taken. Twisted: `childConnectionLost`. */
  readonly lost?: ((fd: number, process: Process<F>) => Handled) | undefined
  /** Twisted: `processExited`. */
  readonly exited?: ((end: ProcessEnd, process: Process<F>) => Handled) | undefined
  /** Twisted: `processEnded`. */
  readonly ended?: ((end: ProcessEnd, process: Process<F>) => Handled) | undefined
}

type Handlers<P> = { [K in keyof P]: P[K] extends (...args: infer _) => infer X ? X : never }[keyof P]

/** What the handlers fail with. */
export type EventsError<P> =
  Handlers<P> extends infer H ? (H extends Handled ? Effect.Error<H> : never) : never
/** What the handlers ask for. */
export type EventsServices<P> =
  Handlers<P> extends infer H ? (H extends Handled ? Effect.Services<H> : never) : never

/** The failure of a handler, told from that of the pipe it was called for. */
class HandlerFailed extends Data.TaggedError("HandlerFailed")<{ readonly error: unknown }> {}

/** Runs the handlers until the process has ended and all of them are through; the first failure interrupts the others. */
export const converse = <F extends ChildFDs>(
  command: Command<F>,
  process: Process<F>,
  events: ProcessEvents<F>
): Effect.Effect<ProcessEnd, unknown, unknown> => {
  const lost = (fd: number): Handled => events.lost?.(fd, process) ?? Effect.void
  const received = (fd: number, bytes: Uint8Array): Handled => {
    if (fd === 1) return events.out?.(bytes, process) ?? Effect.void
    if (fd === 2) return events.err?.(bytes, process) ?? Effect.void
    return events.received?.(fd, bytes, process) ?? Effect.void
  }
  const failed = (error: unknown) => new HandlerFailed({ error })

  const parts: Array<Handled> = [events.connected?.(process) ?? Effect.void]
  for (const [fd, mode] of modesOf(command.childFDs)) {
    const pipe = process.pipe(fd)
    if (pipe === undefined || !isPipe(mode)) continue
    const over =
      mode === "w"
        ? Effect.ignore(pipe.closed)
        : pipe
            .receiveEach((bytes) => Effect.mapError(Effect.asVoid(received(fd, bytes)), failed))
            .pipe(
              // A pipe that breaks is lost, and no more than that.
              Effect.catch((error) =>
                error._tag === "HandlerFailed" ? Effect.fail(error.error) : Effect.void
              )
            )
    parts.push(Effect.andThen(over, () => lost(fd)))
  }
  parts.push(Effect.flatMap(process.exited, (end) => events.exited?.(end, process) ?? Effect.void))

  return Effect.all(parts, { concurrency: "unbounded", discard: true }).pipe(
    Effect.andThen(process.ended),
    Effect.tap((end) => events.ended?.(end, process) ?? Effect.void)
  )
}
