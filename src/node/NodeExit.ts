/**
 * The end of the process by the signal that it received. Who waits for a process learns from the way it ended whether it was told to
 * (`WIFSIGNALED`): shells stop their loops after SIGINT only then, and a supervisor does not take it for a failure. So a daemon
 * that has cleaned up sends the signal to itself once more, with nobody to handle it. Twisted: "exit by the signal that was received".
 */
import * as os from "node:os"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"
import { nativeSignal } from "./NodeProcessSignals.ts"

/** What was said to outputs that nobody reads is not waited for longer by who is told to end. */
const flushTimeout = "1 second"
/** A process that lives this long after its signal does not end by it. */
const deathMillis = 1_000

/** The code for an end by a signal where there is no such end: 128 and its number, as shells have it; 1 for one that is unknown here. */
export const codeOf = (signal: ProcessSignal): number => {
  const number = os.constants.signals[nativeSignal(signal) as NodeJS.Signals]
  return number === undefined ? 1 : 128 + number
}

/**
 * Ends the process by this signal; finalizers must have run. What was printed is printed before. Where the signal cannot end it, the
 * process exits with `codeOf`: as the first process of a container, for which the kernel drops all that it does not handle; on Windows;
 * for signals that end nothing; when the native part of another library handles it.
 */
export const bySignal = (signal: ProcessSignal): Effect.Effect<never> =>
  Effect.andThen(
    flushed(flushTimeout),
    Effect.callback<never>(() => {
      const native = nativeSignal(signal) as NodeJS.Signals
      const code = codeOf(signal)
      if (process.platform === "win32" || process.pid === 1 || !(native in os.constants.signals))
        process.exit(code)
      // The last one that goes gives the signal its default back.
      process.removeAllListeners(native)
      // Held by this timer, the process is there to be ended.
      setTimeout(() => process.exit(code), deathMillis)
      process.kill(process.pid, native)
    })
  )

/** The standard output and error, without those that the program has closed. */
const outputs = (): ReadonlyArray<NodeJS.WriteStream> =>
  [() => process.stdout, () => process.stderr].flatMap((standard) => {
    try {
      return [standard()]
    } catch {
      return []
    }
  })

/** Waits until what was printed has left the process, however long its reader takes; or no longer than `limit`. */
export const flushed = (limit?: Duration.Input): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const open = outputs().filter(({ destroyed, writable, writableLength }) => {
      return !destroyed && writable && writableLength > 0
    })
    let left = open.length
    if (left === 0) return resume(Effect.void)
    const timer =
      limit === undefined
        ? undefined
        : setTimeout(() => resume(Effect.void), Duration.toMillis(Duration.fromInputUnsafe(limit)))
    for (const output of open) {
      output.write("", () => {
        if (--left > 0) return
        clearTimeout(timer)
        resume(Effect.void)
      })
    }
    return Effect.sync(() => clearTimeout(timer))
  })

/** From here on, whoever reads what the program writes may go first: the exit code stays what it is. */
export const readerMayGo: Effect.Effect<void> = Effect.sync(() => {
  for (const output of outputs()) output.on("error", () => {})
})

/** Completes when whoever read the standard output has gone. */
export const readerGone: Effect.Effect<void> = Effect.callback((resume) => {
  const gone = () => resume(Effect.void)
  process.stdout.once("error", gone)
  return Effect.sync(() => process.stdout.off("error", gone))
})
