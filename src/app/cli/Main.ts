/** The command, from its arguments to how the process ends. */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeCommandEnvironment from "../../node/NodeCommandEnvironment.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import * as ExitStatus from "../ExitStatus.ts"
import { CommandFailure } from "./CommandFailure.ts"
import * as CommandLine from "./CommandLine.ts"
import * as commands from "./commands.ts"
import { EndedBySignal } from "./EndedBySignal.ts"
import { complain, presenter } from "./Presenter.ts"
import { Root } from "./Root.ts"
import { UsageError } from "./UsageError.ts"

/** How the process is to end: with a code, or by a signal. */
export type Ending = number | "TERM" | "INT"

const builtIn: ReadonlySet<string> = new Set(commands.all.map(({ name }) => name))

const flagOf = (name: string, doc: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false), Flag.withDescription(doc))

// Without short names: those are spelled out before (`CommandLine`), and behind a plugin's name they are the plugin's.
const help = GlobalFlag.Action({ flag: flagOf("help", "Show this text"), run: GlobalFlag.Help.run })
const version = GlobalFlag.Action({
  flag: flagOf("version", "Show the version"),
  run: GlobalFlag.Version.run
})

const plugins = Effect.promise(() => Promise.all([import("./PluginCommands.ts"), import("./Plugins.ts")]))

/** The commands of plugins: the one that is meant, and the names of all where they are asked for. */
const extras = (word: string | undefined) =>
  word !== undefined && builtIn.has(word) && word !== "completions"
    ? Effect.succeed({ commands: [], own: CommandLine.bare })
    : Effect.gen(function* () {
        const [PluginCommands, Plugins] = yield* plugins
        return yield* Effect.gen(function* () {
          const summaries = yield* PluginCommands.summaries
          if (word === undefined || !summaries.some(({ name }) => name === word)) {
            return { commands: summaries.map(PluginCommands.summary), own: CommandLine.bare }
          }
          const others = summaries.filter(({ name }) => name !== word).map(PluginCommands.summary)
          const made = yield* PluginCommands.make(word, (maker, input) =>
            Effect.flatMap(
              Effect.promise(() => import("./RunCommand.ts")),
              (module) => module.runService(maker, input)
            )
          )
          return { commands: [made.command, ...others], own: made.own }
        }).pipe(Effect.provide(Plugins.layer))
      })

const rootOf = (extra: ReadonlyArray<Command.Command.Any>) =>
  Command.make("spindle").pipe(
    Command.withDescription(
      "An event-driven network engine: runs applications and services, and looks after them"
    ),
    Command.withSubcommands([
      { group: "Commands", commands: commands.all },
      ...(extra.length === 0
        ? []
        : [{ group: "Services", commands: extra as ReadonlyArray<typeof commands.run> }])
    ])
  )

const environment = Layer.mergeAll(
  NodeCommandEnvironment.layer,
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [help, version] as unknown as CliConfig.CliConfig.Service["builtIns"] })
)

/** All errors that a command may end with are of these; whatever else comes is a defect. */
const endingOf = (error: unknown): Effect.Effect<Ending> => {
  if (error instanceof EndedBySignal) return Effect.succeed(error.signal)
  if (CliError.isCliError(error)) {
    // What is wrong with the line was said by the presenter.
    const isHelp = error._tag === "ShowHelp" && error.errors.length === 0
    return Effect.succeed(isHelp ? ExitStatus.codes.OK : ExitStatus.codes.USAGE)
  }
  if (error instanceof UsageError) return Effect.as(complain(error.message), ExitStatus.codes.USAGE)
  if (error instanceof CommandFailure && error.isTold === true) return Effect.succeed(error.status)
  const { message, status } = error as { readonly message: string; readonly status?: number }
  return Effect.as(complain(message), status ?? ExitStatus.codes.SOFTWARE)
}

const line = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const word = yield* Effect.fromResult(CommandLine.wordOf(args))
  const extra = yield* extras(word)
  const arranged = yield* Effect.fromResult(
    CommandLine.arrange(args, {
      ownOf: () => extra.own,
      runsDaemon: (word) => word === "run" || word === "config" || !builtIn.has(word),
      takesLine: (word) => (word === "systemd-unit" ? ["--user", "--name"] : undefined)
    })
  )
  const root = rootOf(extra.commands)
  yield* Command.runWith(root, { version: NodePackage.own.version })(arranged).pipe(
    Effect.provideService(Root, root)
  )
})

/** Does what the arguments say. */
export const main = (args: ReadonlyArray<string>): Effect.Effect<Ending> =>
  line(args).pipe(
    Effect.as<Ending>(ExitStatus.codes.OK),
    Effect.catch(endingOf),
    Effect.provide(environment)
  ) as Effect.Effect<Ending>
