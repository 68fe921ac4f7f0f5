/** `spindle new DIR`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as NodeNewFiles from "../../node/NodeNewFiles.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import * as ExitStatus from "../ExitStatus.ts"
import { CommandFailure } from "./CommandFailure.ts"
import * as NewProject from "./NewProject.ts"

const lastPart = (path: string): string =>
  path
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1) ?? ""

/** As a shell takes it. */
const quoted = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `"${path.replaceAll(/["\\$`]/g, "\\$&")}"`

export const newProject = Effect.fnUntraced(function* (directory: string) {
  const { effectRange, version } = NodePackage.own
  const name = NewProject.nameOf(lastPart(NodeEnvironment.absolute(directory)))
  const root = yield* NodeNewFiles.write(directory, NewProject.files({ name, version, effectRange })).pipe(
    Effect.mapError(
      ({ message }) => new CommandFailure({ detail: message, status: ExitStatus.codes.CANTCREAT })
    )
  )
  yield* Console.log(`${root} is made. Now:\n\n  cd ${quoted(directory)}\n  npm install\n  npm start`)
})
