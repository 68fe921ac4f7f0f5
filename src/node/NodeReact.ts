/** `react` on Node: the main function of a program. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { react as toExitCode } from "../reactor/react.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Signals } from "../reactor/Signals.ts"
import type { Timers } from "../reactor/Timers.ts"
import * as NodeProgram from "./NodeProgram.ts"
import * as NodeReactor from "./NodeReactor.ts"
import * as NodeSignals from "./NodeSignals.ts"
import * as NodeTimers from "./NodeTimers.ts"

/** What the main function is given. */
export type Provided = Reactor | Signals | Timers | Scope.Scope

const platform = Layer.mergeAll(NodeReactor.layer, NodeSignals.layer, NodeTimers.layer)

/**
 * Runs the main function of a program, which may be given the program's arguments, and then ends the process: with 0; with 1,
 * the failure logged; with the code of an `ExitCode`; with 128 and the signal's number after SIGINT or SIGTERM, which
 * interrupt it. What it has begun in its scope is ended first, and what was written is handed over, while somebody reads it;
 * whatever else keeps the process alive is not waited for. Twisted: `task.react`.
 */
export const react = <A, E>(
  main: Effect.Effect<A, E, Provided> | ((...args: ReadonlyArray<string>) => Effect.Effect<A, E, Provided>)
): void => {
  const effect = typeof main === "function" ? Effect.suspend(() => main(...process.argv.slice(2))) : main
  const code = toExitCode(Effect.ensuring(effect, NodeProgram.readerMayGo))
  NodeProgram.run(Effect.provide(code, platform), (code) => process.exit(code))
}
