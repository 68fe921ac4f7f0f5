/** `spindle status`, `stop`, `reload`, `restart`, `logs`: said to a running daemon over its control socket. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeExit from "../../node/NodeExit.ts"
import * as NodeReactor from "../../node/NodeReactor.ts"
import * as NodePidFile from "../../node/NodePidFile.ts"
import * as NodeSignal from "../../node/NodeSignal.ts"
import { visible } from "../../result/VisibleText.ts"
import * as ControlClient from "../ControlClient.ts"
import { type Request, socketOf } from "../ControlProtocol.ts"
import * as DaemonStatus from "../DaemonStatus.ts"
import * as ExitStatus from "../ExitStatus.ts"
import { CommandFailure } from "./CommandFailure.ts"
import * as DaemonStatusText from "../DaemonStatusText.ts"
import * as Target from "./Target.ts"

const failed = (detail: string, cause?: unknown) =>
  new CommandFailure({ detail: visible(detail), status: ExitStatus.codes.UNAVAILABLE, cause })

/** Says it, and waits for the answer. */
const say = (
  { pid, pidFile }: Target.Target,
  request: Request,
  onLine?: (text: string) => Effect.Effect<void>
) =>
  ControlClient.ask(socketOf(pidFile), request, onLine).pipe(
    Effect.mapError((error) =>
      error._tag === "ControlRefused"
        ? failed(error.message)
        : failed(`process ${pid} runs, but does not answer at ${socketOf(pidFile)}: ${error.message}`, error)
    ),
    Effect.provide(NodeReactor.layer)
  )

export const status = Effect.fnUntraced(function* (input: Target.Input & { readonly json: boolean }) {
  const target = yield* Target.find(input)
  const value = yield* say(target, { _tag: "Status" })
  if (input.json) return yield* Console.log(JSON.stringify(value, undefined, 2))
  const status = yield* Effect.mapError(DaemonStatus.decode(value), (error) =>
    failed(`process ${target.pid} answers what this version does not understand: ${error.message}`)
  )
  yield* Console.log(DaemonStatusText.text(status))
})

const pollInterval = "50 millis"

/** Waits until the process is gone. */
const goneWithin = (target: Target.Target, seconds: number) => {
  const isGone = Effect.map(
    Effect.option(NodePidFile.read(target.pidFile)),
    (found) => Option.isSome(found) && (found.value?.pid !== target.pid || found.value.state === "Stale")
  )
  const wait: Effect.Effect<void> = Effect.flatMap(isGone, (gone) =>
    gone && !NodeSignal.isAlive(target.pid) ? Effect.void : Effect.delay(wait, pollInterval)
  )
  return Effect.map(Effect.timeoutOption(wait, `${seconds} seconds`), Option.isSome)
}

export const stop = Effect.fnUntraced(function* (
  input: Target.Input & { readonly timeout: number; readonly force: boolean }
) {
  const target = yield* Target.find(input)
  const { pid } = target
  const asked = say(target, { _tag: "Stop" }).pipe(
    // One that has no control socket, or is too busy to answer: the signal says the same.
    Effect.catch(() => NodeSignal.send(pid, "TERM")),
    Effect.mapError((error) => failed(error.message, error))
  )
  // The answer may be long in coming: what counts is that the process goes.
  const gone = yield* Effect.raceFirst(Effect.andThen(asked, Effect.never), goneWithin(target, input.timeout))
  if (gone) return yield* Console.log(`process ${pid} has stopped`)
  if (!input.force) {
    return yield* new CommandFailure({
      detail: `process ${pid} has not stopped within ${input.timeout} seconds (see --force)`,
      status: ExitStatus.codes.TEMPFAIL
    })
  }
  yield* Effect.mapError(NodeSignal.send(pid, "KILL"), (error) => failed(error.message, error))
  yield* goneWithin(target, input.timeout)
  yield* Console.log(`process ${pid} was killed`)
})

export const reload = Effect.fnUntraced(function* (input: Target.Input) {
  const target = yield* Target.find(input)
  const value = yield* say(target, { _tag: "Reload" })
  const changed = Array.isArray(value) ? value.map(String) : []
  yield* Console.log(
    changed.length === 0 ? "reloaded; no key has changed" : `reloaded; changed: ${changed.join(", ")}`
  )
})

export const restart = Effect.fnUntraced(function* (
  input: Target.Input & { readonly service: Option.Option<string> }
) {
  const target = yield* Target.find(input)
  if (Option.isSome(input.service)) {
    const path = input.service.value
    yield* say(target, { _tag: "Service", operation: "restart", path })
    return yield* Console.log(`${path} has restarted`)
  }
  const value = yield* say(target, { _tag: "Restart" })
  yield* Console.log(
    typeof value === "number" ? `process ${value} has taken over from ${target.pid}` : "restarted"
  )
})

export const logs = Effect.fnUntraced(function* (
  input: Target.Input & { readonly lines: number; readonly follow: boolean }
) {
  const target = yield* Target.find(input)
  const { follow, lines } = input
  const shown = say(target, { _tag: "Logs", follow, lines }, (text) => Console.log(text))
  yield* Effect.raceFirst(shown, NodeExit.readerGone)
})
