/** Which running application a command means. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeControlFiles from "../../node/NodeControlFiles.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePidFile from "../../node/NodePidFile.ts"
import * as ExitStatus from "../ExitStatus.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { UsageError } from "./UsageError.ts"

export interface Input {
  readonly name: Option.Option<string>
  readonly pidfile: Option.Option<string>
  readonly rundir: Option.Option<string>
}

export interface Target {
  readonly pidFile: string
  readonly pid: number
}

const absent = (detail: string) => new CommandFailure({ detail, status: ExitStatus.codes.UNAVAILABLE })

/** The pid file that is meant; whether there is one is another question. */
const pidFileOf = Effect.fnUntraced(function* (input: Input) {
  const directory = Option.getOrElse(input.rundir, () => ".")
  if (Option.isSome(input.pidfile)) return NodeEnvironment.absolute(input.pidfile.value)
  if (Option.isSome(input.name)) return NodeControlFiles.pidFileOf(directory, input.name.value)
  const variable = NodeEnvironment.variable("SPINDLE_PIDFILE") ?? ""
  if (variable !== "") return NodeEnvironment.absolute(variable)
  const names = yield* NodeControlFiles.names(directory)
  const [first, ...others] = names
  if (first === undefined) {
    return yield* absent(
      `nothing runs in ${NodeEnvironment.absolute(directory)}: it has no NAME.pid.sock (see --rundir, --pidfile)`
    )
  }
  if (others.length > 0) {
    const running: Array<string> = []
    for (const name of names) {
      const found = yield* Effect.option(NodePidFile.read(NodeControlFiles.pidFileOf(directory, name)))
      if (Option.isSome(found) && found.value?.state === "Running") running.push(name)
    }
    if (running.length !== 1) {
      return yield* new UsageError({
        detail: `several applications have run here: which one of ${(running.length > 1 ? running : names).join(", ")}?`
      })
    }
    return NodeControlFiles.pidFileOf(directory, running[0]!)
  }
  return NodeControlFiles.pidFileOf(directory, first)
})

/** The running application; where none runs, what there is to say about that. */
export const find = Effect.fnUntraced(function* (input: Input) {
  const pidFile = yield* pidFileOf(input)
  const found = yield* Effect.mapError(NodePidFile.read(pidFile), ({ message }) => absent(message))
  if (found === undefined) return yield* absent(`it does not run: there is no ${pidFile}`)
  if (found.state === "Stale") {
    return yield* absent(`it does not run: ${pidFile} names process ${found.pid}, which is gone`)
  }
  return { pidFile, pid: found.pid } satisfies Target
})
