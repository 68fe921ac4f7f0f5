/** A program as a process: kept alive while it runs, its output handed over, and then the process's end. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { timerMax } from "./timerMillis.ts"

const standardStreams = [() => process.stdout, () => process.stderr]

/** From here on, whoever reads what the program writes may go first: the exit code stays what it is. */
export const readerMayGo: Effect.Effect<void> = Effect.sync(() => {
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
 * Runs the program, and ends the process by `end`, which is given what it gave; a defect is written to standard error, and is
 * exit code 1. What else keeps the process alive is not waited for.
 */
export const run = <A>(program: Effect.Effect<A>, end: (a: A) => void): void => {
  // It only keeps the process alive.
  const keepAlive = setInterval(() => {}, timerMax)
  const fiber = Effect.runFork(program)
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    void Promise.all(standardStreams.map(flushed)).then(() => {
      clearInterval(keepAlive)
      if (Exit.isSuccess(exit)) end(exit.value)
      else process.exit(1)
    })
  })
}
