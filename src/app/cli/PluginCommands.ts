/** Service plugins as commands: `spindle NAME [flags]`. */
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as Effect from "effect/Effect"
import type { PluginError } from "../../plugin/PluginError.ts"
import * as Plugin from "../../plugin/Plugin.ts"
import type { Registry } from "../../plugin/Registry.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags as daemonFlags, withShort } from "./DaemonFlags.ts"
import * as DaemonOption from "./DaemonOption.ts"
import type { Own } from "./CommandLine.ts"
import { UsageError } from "./UsageError.ts"

/** A command, and what it has of its own. */
export interface PluginCommand {
  readonly command: Command.Command.Any
  readonly own: Own
}

/** Names of plugins, with what they say of themselves; nothing is imported. */
export const summaries: Effect.Effect<
  ReadonlyArray<{ readonly name: string; readonly description: string }>,
  never,
  Registry
> = Effect.map(Plugin.all(ServiceMaker.kind), (plugins) =>
  plugins.filter(({ shadowedBy }) => shadowedBy === undefined)
)

/** As help lists it: without its flags, which nobody has asked for. */
export const summary = ({ description, name }: { readonly name: string; readonly description: string }) =>
  Command.make(name, {}).pipe(Command.withDescription(description))

/** The command of one plugin, whose module this imports. */
export const make = (
  name: string,
  run: (maker: ServiceMaker.Any, input: never) => Effect.Effect<void, unknown>
): Effect.Effect<PluginCommand, PluginError | UsageError, Registry> =>
  Effect.gen(function* () {
    const maker = yield* Plugin.load(ServiceMaker.kind, name)
    const own = yield* ownOf(maker)
    const command = Command.make(
      name,
      { own: maker.flags, ...withShort(daemonFlags, own.options) },
      (input) => run(maker, input as never)
    ).pipe(Command.withDescription(maker.description))
    return { command, own }
  })

/** A maker's flags in all spellings; one that is a daemon's option, too, is a mistake of the plugin. */
const ownOf = Effect.fnUntraced(function* (maker: ServiceMaker.Any): Effect.fn.Return<Own, UsageError> {
  const { arguments: operands, flags } = Completions.fromCommand(Command.make(maker.name, maker.flags))
  const taken = flags.find(({ name }) => DaemonOption.find(`--${name}`) !== undefined)
  if (taken !== undefined) {
    return yield* new UsageError({
      detail: `the plugin "${maker.name}" has a flag --${taken.name}, which is one of the daemon's`
    })
  }
  return {
    options: new Set(flags.flatMap(spellingsOf)),
    valued: new Set(flags.filter(takesValue).flatMap(spellingsOf)),
    takesProgram: operands.some(({ variadic }) => variadic)
  }
})

const spellingsOf = ({ aliases, name }: Completions.FlagDescriptor): ReadonlyArray<string> => [
  `--${name}`,
  ...aliases.map((alias) => `${alias.length === 1 ? "-" : "--"}${alias}`)
]

const takesValue = ({ optionalValue, type }: Completions.FlagDescriptor): boolean =>
  type._tag !== "Boolean" && !optionalValue
