/** `spindle systemd-unit`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import * as CommandLine from "./CommandLine.ts"
import * as DaemonOption from "./DaemonOption.ts"
import * as SystemdUnit from "./SystemdUnit.ts"
import { UsageError } from "./UsageError.ts"

const watchdogSeconds = 30

/** A line of `run`, each option with its value in one word; of a plugin's, its own options are not known here. */
const arranged = (command: ReadonlyArray<string>) =>
  command[0] === "run"
    ? CommandLine.arrange(command, {
        ownOf: () => CommandLine.bare,
        runsDaemon: () => true,
        takesLine: () => undefined
      })
    : Result.succeed(command)

const isFile = (token: string, at: number): boolean => at > 0 && !token.startsWith("-")

/** With the file as an absolute path: a service has no directory that is to be relied on. */
const withFile = (line: ReadonlyArray<string>): ReadonlyArray<string> =>
  line[0] === "run"
    ? line.map((token, at) => (isFile(token, at) ? NodeEnvironment.absolute(token) : token))
    : line

const nameOf = (line: ReadonlyArray<string>): string => {
  const file = line[0] === "run" ? line.find(isFile) : undefined
  return file === undefined ? line[0]! : file.replace(/^.*[\\/]/, "").replace(/\.[cm]?[jt]s$/, "")
}

/** What `run` would refuse, as far as the line alone tells. */
const mistakeIn = (line: ReadonlyArray<string>): UsageError | undefined => {
  if (line.some((token) => isOption(token, "--daemon", "-D"))) {
    return new UsageError({ detail: "--daemon is of no use to systemd: it runs services in the foreground" })
  }
  if (line[0] !== "run") return undefined
  if (!line.some(isFile)) {
    return new UsageError({ detail: "which application?", hint: "spindle systemd-unit run app.ts" })
  }
  const wrong = line.find((token) => {
    const [spelling, value] = token.split("=", 2)
    return token.startsWith("-") && DaemonOption.find(spelling!)?.takesValue !== (value !== undefined)
  })
  return wrong === undefined
    ? undefined
    : new UsageError({
        detail:
          DaemonOption.find(wrong) === undefined ? `run has no flag ${wrong}` : `${wrong} needs a value`,
        hint: "see spindle run --help"
      })
}

/** As the line has it; undefined where it does not say. */
const pidFileIn = (line: ReadonlyArray<string>): string | undefined => {
  const at = line.findLastIndex((token) => isOption(token, "--pidfile"))
  const token = line[at]
  return token?.includes("=") === false ? line[at + 1] : token?.slice("--pidfile=".length)
}

const isOption = (token: string, ...spellings: ReadonlyArray<string>): boolean =>
  spellings.includes(token.split("=")[0]!)

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
  const line = yield* Effect.fromResult(arranged(command))
  const mistake = mistakeIn(line)
  if (mistake !== undefined) return yield* mistake
  const name = Option.getOrElse(input.name, () => nameOf(line))
  const given = pidFileIn(line)
  const pidFile = given ?? `/run/${SystemdUnit.nameOf(name)}/${SystemdUnit.nameOf(name)}.pid`
  const launcher = NodePackage.launcher()
  yield* Console.log(
    SystemdUnit.text({
      name,
      description: `${name} (Spindle)`,
      command: [...launcher, ...withFile(line), ...(given === undefined ? [`--pidfile=${pidFile}`] : [])],
      reload: pidFile === "" ? undefined : [...launcher, "reload", `--pidfile=${pidFile}`],
      workingDirectory: NodeEnvironment.absolute("."),
      user: Option.getOrUndefined(user),
      privilegedPorts,
      watchdogSeconds
    }).trimEnd()
  )
})
