/** Several processes or threads, each with the whole application, as what a daemon keeps alive. This process runs none itself. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Duration from "effect/Duration"
import type { NodeHeir } from "../node/NodeHeir.ts"
import * as NodeSignal from "../node/NodeSignal.ts"
import * as NodeWorkers from "../node/NodeWorkers.ts"
import * as DaemonError from "./DaemonError.ts"
import type { DaemonLife } from "./DaemonLife.ts"
import * as ExitStatus from "./ExitStatus.ts"

export interface Options {
  readonly kind: "processes" | "threads"
  readonly count: number
  readonly heir: NodeHeir | undefined
  /** Where the command was called, and the environment that it was given. */
  readonly command: NodeWorkers.Command
  readonly readyTimeout: Duration.Input
  /** What a thread runs, and its arguments. */
  readonly program: { readonly module: URL; readonly argv: ReadonlyArray<string> }
}

const from = (error: NodeWorkers.WorkersError) =>
  new DaemonError.DaemonError({
    detail: error.message,
    status: error.reason === "Unsupported" ? ExitStatus.codes.USAGE : ExitStatus.codes.UNAVAILABLE,
    cause: error
  })

const notHere = { message: "services are those of the workers: ask for a restart of all" }

/** They are stopped with the scope. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<DaemonLife<DaemonError.DaemonError>, never, Scope.Scope> {
  const { command, count, heir, kind, program, readyTimeout } = options
  const scope = yield* Scope.fork(yield* Effect.scope)
  const common = { count, heir, readyTimeout }
  const made =
    kind === "processes"
      ? NodeWorkers.make({ ...common, command })
      : NodeWorkers.makeThreads({ ...common, ...program })
  let workers: NodeWorkers.NodeWorkers | undefined
  let state = "Stopped"

  const running = Effect.suspend(() =>
    workers === undefined
      ? Effect.fail({ message: "the workers have not started yet" })
      : Effect.succeed(workers)
  )

  return {
    start: Effect.suspend(() => {
      state = "Starting"
      return made.pipe(
        Scope.provide(scope),
        Effect.mapError(from),
        Effect.tap((started) =>
          Effect.sync(() => {
            workers = started
            state = "Running"
          })
        )
      )
    }),
    failed: Effect.suspend(() =>
      workers === undefined ? Effect.never : Effect.mapError(workers.failed, from)
    ),
    stop: Effect.suspend(() => {
      state = "Stopping"
      return Scope.close(scope, Exit.void)
    }),
    reload: Effect.flatMap(running, ({ reload }) => Effect.as(reload, [])).pipe(
      Effect.tapError(({ message }) => Effect.logError(`not reloaded: ${message}`))
    ),
    restart: Effect.flatMap(running, ({ restart }) => Effect.as(restart, undefined)),
    status: Effect.gen(function* () {
      const known = workers === undefined ? [] : yield* workers.status
      return {
        state,
        workers: known.map(({ failure, pid, restarts, since, slot, state, thread }) => ({
          slot,
          ...(pid === 0 ? {} : { id: thread ?? pid }),
          ...(failure === undefined ? {} : { failure }),
          state,
          since,
          restarts
        }))
      }
    }),
    service: () => Effect.fail(notHere),
    passOn: (signal) =>
      kind === "threads" || workers === undefined
        ? Effect.void
        : Effect.flatMap(
            workers.status,
            Effect.forEach(
              ({ pid }) =>
                pid === 0
                  ? Effect.void
                  : NodeSignal.send(pid, signal).pipe(
                      Effect.catch(({ message }) => Effect.logWarning(message))
                    ),
              { discard: true }
            )
          )
  }
})
