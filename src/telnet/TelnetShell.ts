/** What somebody finds who comes by telnet: what the application supplies. The ready default says what it is told. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Failure } from "./Telnet.ts"
import type { TelnetTerminal } from "./TelnetTerminal.ts"

/** Twisted: `StatefulTelnetProtocol`. */
export class TelnetShell extends Context.Service<
  TelnetShell,
  {
    /** The conversation; the connection ends with it, and it with the connection. What may take long is best given to `terminal.run`. */
    readonly converse: (terminal: TelnetTerminal) => Effect.Effect<void, Failure>
  }
>()("spindle/telnet/TelnetShell") {}

const commands = ["count", "echo", "help", "history", "quit", "terminal"]

/** A few commands that show what a terminal can do. Nothing of the machine is reached by them. */
export const example: TelnetShell["Service"] = {
  converse: Effect.fnUntraced(function* (terminal) {
    yield* terminal.print(
      'This is Spindle. "help" helps; Tab completes, the cursor keys go through what you said.'
    )
    for (;;) {
      const read = yield* terminal.readLine({ prompt: "> ", complete: completions })
      if (read._tag === "End") return
      if (read._tag === "Interrupt") continue
      const [name = "", ...words] = read.line.trim().split(" ")
      switch (name) {
        case "":
          continue
        case "count":
          // ^C reaches it, though it reads nothing.
          yield* terminal.run(counting(terminal))
          continue
        case "echo":
          yield* terminal.print(words.join(" "))
          continue
        case "help":
          yield* terminal.print(commands.join(", "))
          continue
        case "history":
          yield* terminal.print(terminal.history().join("\n"))
          continue
        case "terminal": {
          const { columns = "?", rows = "?" } = terminal.window() ?? {}
          yield* terminal.print(`${terminal.terminalType() ?? "unknown"}, ${columns} x ${rows}`)
          continue
        }
        case "quit":
          return yield* terminal.print("Bye.")
        default:
          yield* terminal.print([{ text: `There is no "${name}".`, color: "red" }, ' Try "help".'])
      }
    }
  })
}

const counting = Effect.fnUntraced(function* (terminal: TelnetTerminal) {
  for (let second = 1; second <= 3_600; second++) {
    yield* terminal.print(`${second}${second === 1 ? " (^C ends it)" : ""}`)
    yield* Effect.sleep("1 second")
  }
})

const completions = (before: string) =>
  Effect.succeed({
    candidates: before.includes(" ") ? [] : commands.filter((name) => name.startsWith(before)),
    replaced: before.length
  })

export const layer = (shell: TelnetShell["Service"] = example): Layer.Layer<TelnetShell> =>
  Layer.succeed(TelnetShell, shell)
