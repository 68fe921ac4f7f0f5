/** A process that was started, as its starter sees it. Twisted: `IProcessTransport`. */
import type * as Effect from "effect/Effect"
import type { ChildFDs, StandardFDs } from "./ProcessCommand.ts"
import type { ProcessEnd } from "./ProcessEnd.ts"
import type { SignalFailed } from "./ProcessError.ts"
import type { ProcessSignal } from "./ProcessSignal.ts"
import type { Transport } from "./Transport.ts"

/** Any process, whatever its pipes. */
export interface Running {
  readonly pid: number
  readonly program: string
  /** How it ended; undefined while it lives. */
  readonly end: ProcessEnd | undefined
  /** Waits until the process is gone. Its pipes may have more to say. */
  readonly exited: Effect.Effect<ProcessEnd>
  /** Waits until the process is gone and all its pipes are closed: who does not receive what it said waits for ever. */
  readonly ended: Effect.Effect<ProcessEnd>
  /** Pipes that somebody else still had open when `pipesTimeout` was over. */
  readonly leftOpen: ReadonlyArray<number>
  /** The pipe of that descriptor, if it is one. */
  readonly pipe: (fd: number) => Transport | undefined
  /**
   * Sends a signal to the process alone. Nobody else ever gets it: once the process is gone, this fails as `ExitedAlready`,
   * whoever has its number by then. Twisted: `signalProcess`.
   */
  readonly signal: (signal: ProcessSignal | number) => Effect.Effect<void, SignalFailed>
  /** Sends a signal to all of its process group, also when the process itself is gone and has left others behind. */
  readonly signalGroup: (signal: ProcessSignal | number) => Effect.Effect<void, SignalFailed>
  /** What the end of its scope does: asks it to end, waits for the grace, kills it; the whole group. Waits until it is gone. */
  readonly stop: Effect.Effect<ProcessEnd>
}

/** What comes from the child. A clean end is `Cause.Done`. */
export type ReadPipe = Pick<Transport, "receive" | "receiveEach" | "unread" | "closed" | "gone">
/** What goes to the child. A child that does not read any more makes `send` fail as `Reset` (EPIPE) or `Closed`. */
export type WritePipe = Pick<Transport, "send" | "end" | "closed">

type PipeOf<M> = M extends "r" ? ReadPipe : M extends "w" ? WritePipe : M extends "rw" ? Transport : undefined

/** What descriptor `N` is, if the command says `F`. */
type Mode<F, N extends PropertyKey> = N extends keyof F
  ? F[N]
  : N extends keyof StandardFDs
    ? StandardFDs[N]
    : never

type PipeModes = "r" | "w" | "rw"

export type Pipes<F> = {
  readonly [N in keyof F | keyof StandardFDs as Mode<F, N> extends PipeModes ? N : never]: PipeOf<Mode<F, N>>
}

/** A process with the pipes that its command asks for. */
export interface Process<F extends ChildFDs = {}> extends Running {
  readonly pipes: Pipes<F>
  readonly stdin: PipeOf<Mode<F, 0>>
  readonly stdout: PipeOf<Mode<F, 1>>
  readonly stderr: PipeOf<Mode<F, 2>>
}

/** A process on a terminal: all it says and is told goes through that. */
export interface PtyProcess extends Running {
  /** `end` types the end of input (Ctrl-D), which a program at the beginning of a line takes for one. */
  readonly terminal: Transport
  readonly resize: (size: { readonly columns: number; readonly rows: number }) => Effect.Effect<void>
}
