/** `spindle systemd-unit`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import * as SystemdUnit from "./SystemdUnit.ts"
import { UsageError } from "./UsageError.ts"

const watchdogSeconds = 30

/** `run` or the plugin, and its file as an absolute path: a service has no directory that is to be relied on. */
const absoluteFile = ([word, file, ...rest]: ReadonlyArray<string>): ReadonlyArray<string> =>
  word === "run" && file !== undefined
    ? [word, NodeEnvironment.absolute(file), ...rest]
    : [word!, ...(file === undefined ? [] : [file]), ...rest]

const nameOf = ([word, file]: ReadonlyArray<string>): string =>
  word === "run" && file !== undefined ? file.replace(/^.*[\\/]/, "").replace(/\.[cm]?[jt]s$/, "") : word!

export const systemdUnit = Effect.fnUntraced(function* (input: {
  readonly command: ReadonlyArray<string>
  readonly user: Option.Option<string>
  readonly privilegedPorts: boolean
  readonly name: Option.Option<string>
}) {
  const { command, privilegedPorts, user } = input
  if (command.length === 0) {
    return yield* new UsageError({
      detail: "what is to be the service?",
      hint: "spindle systemd-unit run app.ts"
    })
  }
  const name = Option.getOrElse(input.name, () => nameOf(command))
  yield* Console.log(
    SystemdUnit.text({
      name,
      description: `${name} (Spindle)`,
      command: [...NodePackage.launcher(), ...absoluteFile(command), "--pidfile", `/run/${name}/${name}.pid`],
      workingDirectory: NodeEnvironment.absolute("."),
      user: Option.getOrUndefined(user),
      privilegedPorts,
      watchdogSeconds
    }).trimEnd()
  )
})
