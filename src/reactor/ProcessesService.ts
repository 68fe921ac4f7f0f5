import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Process, PtyProcess } from "./Process.ts"
import type { ChildFDs, Command, PtyCommand } from "./ProcessCommand.ts"
import type { SpawnFailed } from "./ProcessError.ts"

/** Whoever can start processes. `NodeProcesses.layer`. */
export class Processes extends Context.Service<
  Processes,
  {
    /** Starts a process that ends with the scope. */
    readonly spawn: <const F extends ChildFDs = {}>(
      command: Command<F>
    ) => Effect.Effect<Process<F>, SpawnFailed, Scope.Scope>
    /** As `spawn`, on a terminal of its own. */
    readonly spawnPty: (command: PtyCommand) => Effect.Effect<PtyProcess, SpawnFailed, Scope.Scope>
  }
>()("spindle/reactor/Processes") {}
