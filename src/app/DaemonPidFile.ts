/** The pid file of a daemon, from start to succession. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { NodeHeir } from "../node/NodeHeir.ts"
import * as NodePidFile from "../node/NodePidFile.ts"
import * as DaemonError from "./DaemonError.ts"

export interface Options {
  /** Absolute; undefined: none. */
  readonly pidFile: string | undefined
  /** What started this process, if it was one of ours. */
  readonly heir: NodeHeir | undefined
}

/** Takes it; who was started by one of ours leaves it to that one. */
export const own = Effect.fnUntraced(function* ({ heir, pidFile }: Options) {
  if (pidFile === undefined || heir !== undefined) return
  yield* Effect.mapError(NodePidFile.acquire(pidFile), DaemonError.from)
})

/** A successor takes it over when it is ready. */
export const takeOver = Effect.fnUntraced(function* ({ heir, pidFile }: Options) {
  if (pidFile === undefined || heir?.role !== "successor") return
  yield* Effect.mapError(NodePidFile.replace(pidFile, heir.predecessor), DaemonError.from)
})

const lookInterval = "10 millis"
const lookTimeout = "5 seconds"

/** Waits until it names that process, which is about to take it over: who looks for it finds it then. */
export const names = (pidFile: string | undefined, pid: number): Effect.Effect<void> => {
  if (pidFile === undefined) return Effect.void
  const isNamed = Effect.map(
    Effect.option(NodePidFile.read(pidFile)),
    (found) => Option.isSome(found) && found.value?.pid === pid
  )
  const wait: Effect.Effect<void> = Effect.flatMap(isNamed, (named) =>
    named ? Effect.void : Effect.delay(wait, lookInterval)
  )
  return Effect.asVoid(Effect.timeoutOption(wait, lookTimeout))
}
