/** `spindle completions SHELL`. */
import * as Completions from "effect/cli/Completions"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Root } from "./Root.ts"

/** How Effect's own commands print it, and how this one does. */
const [theirs, ours] = ["spindle --completions", "spindle completions"] as const

export const completions = (shell: Completions.Shell) =>
  Effect.flatMap(Root, (root) =>
    Console.log(
      Completions.generate("spindle", shell, Completions.fromCommand(root)).replaceAll(theirs, ours)
    )
  )
