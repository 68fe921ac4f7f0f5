/** One application as what a daemon keeps alive. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Reloads from "../reactor/Reloads.ts"
import type * as Application from "./Application.ts"
import * as ApplicationRun from "./ApplicationRun.ts"
import type { Sources } from "./Configuration.ts"
import * as DaemonError from "./DaemonError.ts"
import type { DaemonLife, Told } from "./DaemonLife.ts"
import type { Platform } from "./Service.ts"

export interface Options {
  readonly app: Application.Runnable
  readonly sources: Sources
  /** Starts a successor, hands everything over to it, and gives its process number. */
  readonly succeed: Effect.Effect<number, Told>
  /** Gives privileges up. */
  readonly betweenPhases: Effect.Effect<void, DaemonError.DaemonError>
}

const notReloaded = (errors: ApplicationRun.ReloadReport["errors"]) => ({
  message: errors.map(({ message, step }) => `${step}: ${message}`).join("; ")
})

/** It is stopped with the scope. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<DaemonLife<DaemonError.DaemonError>, never, Platform | Scope.Scope> {
  const { app, betweenPhases, sources, succeed } = options
  const life = yield* ApplicationRun.make(app, {
    sources,
    betweenPhases,
    reloadCertificates: Reloads.reload
  })
  let tree: { readonly find: TreeFind } | undefined
  let succeeding: Fiber.Fiber<number, Told> | undefined
  // The root of its services has no name but the application's.
  const ended = (error: { readonly message: string }) => {
    const { cause, detail, status } = DaemonError.from(error)
    return new DaemonError.DaemonError({ detail: detail.replace(/^\/: /, `${app.name}: `), status, cause })
  }
  return {
    start: Effect.mapError(
      Effect.tap(life.start, (started) =>
        Effect.sync(() => {
          tree = started
        })
      ),
      ended
    ),
    failed: Effect.mapError(life.failed, ended),
    // A successor that is not ready yet is not to serve when this one was told to stop.
    stop: Effect.suspend(() =>
      succeeding === undefined ? life.stop : Effect.andThen(Fiber.interrupt(succeeding), life.stop)
    ),
    reload: Effect.flatMap(life.reload, ({ changes, errors }) =>
      errors.length === 0 ? Effect.succeed(changes) : Effect.fail(notReloaded(errors))
    ),
    status: Effect.map(life.snapshot, ({ services, state }) => ({
      state: state._tag,
      ...(services === undefined ? {} : { services })
    })),
    service: ({ operation, path }) =>
      tree === undefined
        ? Effect.fail({ message: "the application has not started yet" })
        : Effect.flatMap(tree.find(path), (node) => node[operation]),
    restart: Effect.flatMap(Effect.forkDetach(succeed, { startImmediately: true }), (fiber) => {
      succeeding = fiber
      return Effect.onInterrupt(Fiber.join(fiber), () => Fiber.interrupt(fiber))
    }),
    passOn: () => Effect.void
  }
})

type Tree = Effect.Success<ApplicationRun.ApplicationRun["start"]>
type TreeFind = Tree["find"]
