/** `spindle run FILE` and `spindle PLUGIN`: an application as a daemon, in the foreground or in the background. */
import * as Effect from "effect/Effect"
import * as NodeDetach from "../../node/NodeDetach.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodeHeir from "../../node/NodeHeir.ts"
import * as Application from "../Application.ts"
import * as ExitStatus from "../ExitStatus.ts"
import type * as ServiceMaker from "../ServiceMaker.ts"
import * as ApplicationFile from "./ApplicationFile.ts"
import { CommandFailure } from "./CommandFailure.ts"
import type * as DaemonFlags from "./DaemonFlags.ts"
import { EndedBySignal } from "./EndedBySignal.ts"
import * as Invocation from "./Invocation.ts"
import { type Load, type Problem, serve } from "./RunProcess.ts"
import { UsageError } from "./UsageError.ts"

export const runFile = (input: DaemonFlags.Given & { readonly file: string }) => {
  // As the user wrote it: from where the command was called, whatever the run directory is.
  const file = NodeEnvironment.absolute(input.file)
  return run(input, ApplicationFile.load(file))
}

export const runService = (maker: ServiceMaker.Any, input: DaemonFlags.Given & { readonly own: unknown }) =>
  run(
    input,
    Effect.suspend(() => maker.make(input.own as never)).pipe(
      Effect.mapError((problem) =>
        problem instanceof UsageError && problem.hint !== undefined
          ? problem
          : new UsageError({ detail: problem.message, hint: `see spindle ${maker.name} --help` })
      ),
      Effect.map(
        (service) =>
          Application.make({
            name: maker.name,
            description: maker.description,
            services: [service]
          }) as Application.Runnable
      )
    )
  )

const run = Effect.fnUntraced(function* (given: DaemonFlags.Given, load: Load) {
  const invocation = yield* Invocation.read(given)
  const child = yield* NodeDetach.child
  if (invocation.settings.daemon && child === undefined && NodeHeir.role() === undefined) {
    return yield* launch(invocation)
  }
  const end = yield* Effect.tapError(serve(invocation, load, child), (error) =>
    child === undefined ? Effect.void : child.failed(error.message, statusOf(error))
  )
  if (end._tag === "Signalled" && (end.signal === "TERM" || end.signal === "INT")) {
    return yield* new EndedBySignal({ signal: end.signal })
  }
})

const statusOf = (error: Problem): number =>
  error._tag === "UsageError" ? ExitStatus.codes.USAGE : error.status

/** Starts the daemon, and waits until it is ready, or has failed. */
const launch = Effect.fnUntraced(function* ({ added, settings }: Invocation.Invocation) {
  const failure = (detail: string, status: number) => new CommandFailure({ detail, status })
  // It reads the file of variables itself.
  const env = Object.fromEntries(added.map((name) => [name, undefined]))
  const outcome = yield* NodeDetach.start({ env }).pipe(
    Effect.mapError((error) => failure(error.message, ExitStatus.codes.OSERR)),
    Effect.timeoutOrElse({
      duration: settings.startTimeout,
      orElse: () =>
        Effect.fail(failure("the daemon was not ready in time, and was ended", ExitStatus.codes.TEMPFAIL))
    })
  )
  switch (outcome._tag) {
    case "Ready":
      return
    case "Failed":
      return yield* failure(outcome.reason, outcome.code)
    case "Died":
      return yield* failure(deathOf(outcome), ExitStatus.codes.SOFTWARE)
  }
})

/** It said nothing: its last words may tell. */
const deathOf = (outcome: Extract<NodeDetach.Outcome, { readonly _tag: "Died" }>): string => {
  const { code, lines, signal } = outcome
  const how = signal === undefined ? `with code ${code ?? "unknown"}` : `by SIG${signal}`
  const words = lines.length === 0 ? "" : `: ${lines.join("\n  ")}`
  return `the daemon ended ${how} before it was ready${words}`
}
