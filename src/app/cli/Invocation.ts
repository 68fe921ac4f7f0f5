/** What the line of a command that runs an application comes to, with the environment and a file of variables. */
import * as Effect from "effect/Effect"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import type { Sources } from "../Configuration.ts"
import * as DaemonError from "../DaemonError.ts"
import * as DaemonFlags from "./DaemonFlags.ts"
import type { UsageError } from "./UsageError.ts"

type Variables = Readonly<Record<string, string | undefined>>

export interface Invocation {
  readonly settings: DaemonFlags.DaemonSettings
  /** Where the application is configured from. */
  readonly sources: Sources
  /** The environment as it is now, without what the file of variables has added: for processes that read that themselves. */
  readonly environment: () => Variables
  /** The names of those that it has added. */
  readonly added: ReadonlyArray<string>
}

const without = (variables: Variables, names: ReadonlyArray<string>): Variables => {
  const left = new Set(names)
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !left.has(name)))
}

/** Files that were named on the line are meant from where the command was called, whatever the run directory is. */
const placed = (file: string, rundir: string | undefined): string =>
  rundir === undefined ? file : NodeEnvironment.absolute(file)

const load = (file: string): Effect.Effect<ReadonlyArray<string>, DaemonError.DaemonError> =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeEnvFile.ts")),
    (module) => Effect.mapError(module.load([file]), DaemonError.from)
  )

/** Reads it all, and puts the variables of the file into the environment. To be called before the run directory is entered. */
export const read = Effect.fnUntraced(function* (
  given: DaemonFlags.Given
): Effect.fn.Return<Invocation, DaemonError.DaemonError | UsageError> {
  const before = yield* DaemonFlags.settings(given, NodeEnvironment.variables())
  const added = before.envFile === undefined ? [] : yield* load(before.envFile)
  // The file may have set options, too.
  const settings = yield* DaemonFlags.settings(given, NodeEnvironment.variables())
  const { config, rundir, set } = settings
  const environment = () => without(NodeEnvironment.variables(), added)
  const sources: Sources = {
    flags: set,
    environment: environment(),
    ...(before.envFile === undefined ? {} : { environmentFiles: [placed(before.envFile, rundir)] }),
    ...(config === undefined ? {} : { file: placed(config, rundir) })
  }
  return { settings, sources, environment, added }
})
