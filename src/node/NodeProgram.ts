/** A program as a process: kept alive while it runs, its output handed over, and then the process's end. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { flushed } from "./NodeExit.ts"
import { timerMax } from "./timerMillis.ts"

export { readerMayGo } from "./NodeExit.ts"

/**
 * Runs the program, and ends the process by `end`, which is given what it gave, when all is printed; a defect is written to standard
 * error, and is exit code 1. What else keeps the process alive is not waited for.
 */
export const run = <A>(program: Effect.Effect<A>, end: (a: A) => void): void => {
  // It only keeps the process alive.
  const keepAlive = setInterval(() => {}, timerMax)
  Effect.runFork(program).addObserver((exit) => {
    if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    Effect.runFork(flushed()).addObserver(() => {
      clearInterval(keepAlive)
      if (Exit.isSuccess(exit)) end(exit.value)
      else process.exit(1)
    })
  })
}
