/**
 * What `effect/cli` needs of the platform, and no more: `@effect/platform-node` has all of it, and takes longer to load than
 * everything else that a command does. Nothing is ever asked at a prompt.
 */
import * as tty from "node:tty"
import * as Cause from "effect/Cause"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as NodeReadFiles from "./NodeReadFiles.ts"

const columnsDefault = 80
const rowsDefault = 24

const terminal = Terminal.make({
  columns: Effect.sync(() => process.stdout.columns ?? columnsDefault),
  rows: Effect.sync(() => process.stdout.rows ?? rowsDefault),
  size: Effect.die(new Error("the command does not watch its terminal")),
  readInput: Effect.die(new Error("the command asks nothing")),
  readLine: Effect.fail(new Terminal.QuitError({})),
  display: (text) => Effect.sync(() => process.stdout.write(text)).pipe(Effect.asVoid)
})

const spawner = makeSpawner(() =>
  Effect.die(new Cause.UnknownError(undefined, "the command's flags start no processes"))
)

/** Without a look at standard input, which Node would open for it. */
const capabilities = (): TerminalCapabilities.TerminalCapabilities => {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = process.env
  const isForced = force !== undefined && force !== "" && force !== "0" && force !== "false"
  const canColor = (no === undefined || no === "") && term !== "dumb" && (isForced || tty.isatty(1))
  return { canColor, canAnimate: false, canPrompt: false }
}

/** What a command is run with. Its output goes to the process's own, its help too. */
export const layer = Layer.mergeAll(
  Layer.succeed(FileSystem.FileSystem, NodeReadFiles.make),
  Path.layer,
  Layer.succeed(Terminal.Terminal, terminal),
  Layer.succeed(ChildProcessSpawner, spawner),
  Stdio.layerTest({ args: Effect.sync(() => process.argv.slice(2)) }),
  Layer.sync(TerminalCapabilities.TerminalCapabilities, capabilities),
  Layer.succeed(Console.Console, console)
)
