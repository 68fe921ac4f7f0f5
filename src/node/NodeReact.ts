/** `react` on Node: the main function of a program. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { react as toExitCode } from "../reactor/react.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Signals } from "../reactor/Signals.ts"
import type { Timers } from "../reactor/Timers.ts"
import * as NodeReactor from "./NodeReactor.ts"
import * as NodeSignals from "./NodeSignals.ts"
import * as NodeTimers from "./NodeTimers.ts"

/** What the main function is given. */
export type Provided = Reactor | Signals | Timers | Scope.Scope

const platform = Layer.mergeAll(NodeReactor.layer, NodeSignals.layer, NodeTimers.layer)

/** Longer than any program runs; Node takes no more for one timer. */
const keepAliveMillis = 2 ** 31 - 1

const standardStreams = [() => process.stdout, () => process.stderr]

/** Whoever read what the program writes may go first: the exit code stays what it is. */
const readerMayGo = Effect.sync(() => {
  for (const standard of standardStreams) {
    try {
      standard().on("error", () => {})
    } catch {
      // The program has closed it.
    }
  }
})

/** What is still to be written to a pipe is written. */
const flushed = (standard: () => NodeJS.WriteStream): Promise<void> => {
  try {
    const stream = standard()
    if (stream.writableLength === 0 || stream.destroyed) return Promise.resolve()
    return new Promise((resolve) => stream.write("", () => resolve()))
  } catch {
    // The program has closed it.
    return Promise.resolve()
  }
}

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
  const keepAlive = setInterval(() => {}, keepAliveMillis)
  const code = toExitCode(Effect.ensuring(effect, readerMayGo))
  const fiber = Effect.runFork(Effect.provide(code, platform))
  fiber.addObserver((exit) => {
    clearInterval(keepAlive)
    if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    process.exitCode = Exit.isSuccess(exit) ? exit.value : 1
    void Promise.all(standardStreams.map(flushed)).then(() => process.exit())
  })
}
