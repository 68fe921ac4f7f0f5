/** The whole command, for whoever needs to know all of it: help and completions. */
import type * as Command from "effect/cli/Command"
import * as Context from "effect/Context"

export class Root extends Context.Service<Root, Command.Command.Any>()("spindle/app/cli/Root") {}
