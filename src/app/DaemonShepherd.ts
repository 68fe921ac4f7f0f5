/**
 * What is left in the foreground of a program that has handed over to a successor: whoever waits for the first process, a shell or a
 * supervisor, goes on waiting, as long as any process has its place. Signals are passed on.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as NodeEnvironment from "../node/NodeEnvironment.ts"
import * as NodePidFile from "../node/NodePidFile.ts"
import * as NodeSignal from "../node/NodeSignal.ts"
import { type Signal, Signals } from "../reactor/Signals.ts"
import * as DaemonError from "./DaemonError.ts"
import * as ExitStatus from "./ExitStatus.ts"

const pollInterval = "100 millis"

/** Set for successors: their shepherd is there already. */
export const variable = "SPINDLE_SHEPHERD"

const running = (pidFile: string) =>
  Effect.map(Effect.option(NodePidFile.read(pidFile)), (found) =>
    Option.isSome(found) && found.value?.state === "Running" ? found.value.pid : undefined
  )

export interface Shepherd {
  /**
   * Waits until no process has the place any more. Gives the last signal that was passed on: by that the last one ended.
   * Fails where the last one went without removing its pid file: it crashed.
   */
  readonly wait: Effect.Effect<Signal | undefined, DaemonError.DaemonError>
}

/** Passes signals on from now on, to whatever process the pid file names; until the scope ends. */
export const make = Effect.fnUntraced(function* (
  pidFile: string
): Effect.fn.Return<Shepherd, never, Scope.Scope | Signals> {
  const signals = yield* Signals
  const received = yield* signals.subscribe("TERM", "INT", "HUP", "USR1", "USR2")
  let last: Signal | undefined
  const passOn = Effect.gen(function* () {
    const signal = yield* Queue.take(received)
    if (signal === "TERM" || signal === "INT") last = signal
    const pid = yield* running(pidFile)
    if (pid === undefined || pid === NodeEnvironment.pid()) return
    yield* NodeSignal.send(pid, signal).pipe(Effect.catch(({ message }) => Effect.logWarning(message)))
  })
  yield* Effect.forkScoped(Effect.forever(passOn))
  const wait = Effect.gen(function* () {
    while ((yield* running(pidFile)) !== undefined) yield* Effect.sleep(pollInterval)
    const found = yield* Effect.option(NodePidFile.read(pidFile))
    if (Option.isSome(found) && found.value !== undefined) {
      return yield* new DaemonError.DaemonError({
        detail: `process ${found.value.pid} ended, and left ${pidFile} behind`,
        status: ExitStatus.codes.SOFTWARE
      })
    }
    return last
  })
  return { wait }
})
