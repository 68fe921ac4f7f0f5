/** `spindle config FILE`, with all that `spindle run FILE` takes. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as Configuration from "../Configuration.ts"
import * as ConfigurationTable from "../ConfigurationTable.ts"
import * as ExitStatus from "../ExitStatus.ts"
import * as ApplicationFile from "./ApplicationFile.ts"
import { CommandFailure } from "./CommandFailure.ts"
import type * as DaemonFlags from "./DaemonFlags.ts"
import * as Invocation from "./Invocation.ts"

export const config = Effect.fnUntraced(function* (
  input: DaemonFlags.Given & { readonly file: string; readonly json: boolean }
) {
  const file = NodeEnvironment.absolute(input.file)
  const { settings, sources } = yield* Invocation.read(input)
  if (settings.rundir !== undefined) yield* NodeEnvironment.enter(settings.rundir)
  const app = yield* ApplicationFile.load(file)
  const explanation = yield* Configuration.explain(app.config ?? {}, sources)
  yield* Console.log(
    input.json
      ? JSON.stringify(ConfigurationTable.json(explanation), undefined, 2)
      : ConfigurationTable.text(explanation)
  )
  const { length } = explanation.issues
  if (length > 0) {
    return yield* new CommandFailure({
      detail: `the configuration has ${length === 1 ? "a mistake" : `${length} mistakes`}`,
      status: ExitStatus.codes.CONFIG
    })
  }
})
