/** `spindle config FILE`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as Configuration from "../Configuration.ts"
import * as ConfigurationTable from "../ConfigurationTable.ts"
import * as ExitStatus from "../ExitStatus.ts"
import * as ApplicationFile from "./ApplicationFile.ts"
import { CommandFailure } from "./CommandFailure.ts"

export const config = Effect.fnUntraced(function* (input: {
  readonly file: string
  readonly config: Option.Option<string>
  readonly set: ReadonlyArray<string>
  readonly envFile: Option.Option<string>
  readonly json: boolean
}) {
  const app = yield* ApplicationFile.load(NodeEnvironment.absolute(input.file))
  const explanation = yield* Configuration.explain(app.config ?? {}, {
    flags: input.set,
    environment: NodeEnvironment.variables(),
    ...Option.match(input.envFile, { onNone: () => ({}), onSome: (file) => ({ environmentFiles: [file] }) }),
    ...Option.match(input.config, { onNone: () => ({}), onSome: (file) => ({ file }) })
  })
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
