/** The application that is the default export of a file. */
import * as Effect from "effect/Effect"
import * as NodeModules from "../../node/NodeModules.ts"
import * as Failure from "../../result/Failure.ts"
import * as Application from "../Application.ts"
import * as DaemonError from "../DaemonError.ts"
import * as ExitStatus from "../ExitStatus.ts"

const broken = (detail: string, status: number, cause?: unknown) =>
  new DaemonError.DaemonError({ detail, status, cause })

/** Imports the file, and gives the application. `file` is absolute. */
export const load = Effect.fnUntraced(function* (file: string) {
  const kind = NodeModules.kindOf(file)
  if (kind === "Nothing") return yield* broken(`there is no file ${file}`, ExitStatus.codes.NOINPUT)
  if (kind === "Directory") return yield* broken(`${file} is a directory`, ExitStatus.codes.NOINPUT)
  const module = yield* Effect.catchCause(NodeModules.load(file), (cause) =>
    Effect.fail(
      broken(
        `${file} cannot be loaded: ${Failure.message(Failure.fromCause(cause))}`,
        ExitStatus.codes.SOFTWARE,
        cause
      )
    )
  )
  const exported = module["default"]
  if (exported === undefined) {
    return yield* broken(
      `${file} has no default export: it should be an Application`,
      ExitStatus.codes.DATAERR
    )
  }
  if (!Application.isApplication(exported)) {
    return yield* broken(`the default export of ${file} is no Application`, ExitStatus.codes.DATAERR)
  }
  // What it requires was for the compiler to say.
  return exported as Application.Runnable
})
