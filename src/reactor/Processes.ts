/**
 * Child processes. Twisted: `IReactorProcess`, `twisted.internet.utils`.
 *
 * A process belongs to a scope: when that ends, the process and all of its group are asked to end, given some grace, killed, and
 * waited for. Every failure is a typed one; nothing is thrown.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Process, PtyProcess } from "./Process.ts"
import type { ChildFDs, Command, PtyCommand } from "./ProcessCommand.ts"
import { converse, type EventsError, type EventsServices, type ProcessEvents } from "./ProcessConversation.ts"
import type { ProcessEnd } from "./ProcessEnd.ts"
import type { SpawnFailed } from "./ProcessError.ts"
import { Processes } from "./ProcessesService.ts"

export type { Process, PtyProcess, ReadPipe, Running, WritePipe } from "./Process.ts"
export type { ChildFD, ChildFDs, Command, Program, PtyCommand } from "./ProcessCommand.ts"
export type { ProcessEvents } from "./ProcessConversation.ts"
export { type Done, type ProcessEnd, success, Terminated } from "./ProcessEnd.ts"
export { SignalFailed, SpawnFailed, type SpawnReason } from "./ProcessError.ts"
export { Processes } from "./ProcessesService.ts"
export {
  getProcessOutput,
  getProcessOutputAndValue,
  getProcessValue,
  OutputError,
  type OutputOptions
} from "./ProcessOutput.ts"
export type { ProcessSignal } from "./ProcessSignal.ts"
export { sink, stream, streamOutput, transport } from "./ProcessStream.ts"

/** The stream form: the process, its pipes as transports, until the scope ends. */
export function spawn<const F extends ChildFDs = {}>(
  command: Command<F>
): Effect.Effect<Process<F>, SpawnFailed, Processes | Scope.Scope>
/**
 * The event form: the whole conversation with a process, from its start to the last event; gives how it ended. The failure of a
 * handler, or an interruption, ends the process.
 */
export function spawn<const F extends ChildFDs = {}, P extends ProcessEvents<F> = ProcessEvents<F>>(
  command: Command<F>,
  events: P & ProcessEvents<F>
): Effect.Effect<ProcessEnd, SpawnFailed | EventsError<P>, Processes | EventsServices<P>>
export function spawn(command: Command, events?: ProcessEvents): unknown {
  const spawned = Effect.flatMap(Processes, (service) => service.spawn<{}>(command as Command<{}>))
  if (events === undefined) return spawned
  return Effect.scoped(
    Effect.flatMap(spawned, (process) => converse(command as Command<{}>, process, events))
  )
}

/** A process on a terminal of its own, until the scope ends. */
export const spawnPty = (
  command: PtyCommand
): Effect.Effect<PtyProcess, SpawnFailed, Processes | Scope.Scope> =>
  Effect.flatMap(Processes, (service) => service.spawnPty(command))
