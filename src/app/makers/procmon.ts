/** `spindle procmon -- COMMAND`: a program that is kept running. Twisted: `twist procmon`. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { UsageError } from "../cli/UsageError.ts"
import * as ProcessService from "../ProcessService.ts"
import * as ServiceMaker from "../ServiceMaker.ts"

const seconds = (name: string, letter: string, byDefault: number, doc: string) =>
  Flag.Finite(name).pipe(
    Flag.withAlias(letter),
    Flag.withDefault(byDefault),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription(`${doc}; default ${byDefault}`)
  )

export const maker = ServiceMaker.make({
  name: "procmon",
  description: "keeps a program running, and logs what it says",
  flags: {
    threshold: seconds("threshold", "t", 1, "A life of this length counts: then it is started again at once"),
    killTime: seconds("kill-time", "k", 5, "How long it has to end before it is killed").pipe(
      Flag.withAlias("killtime")
    ),
    minRestartDelay: seconds(
      "min-restart-delay",
      "m",
      1,
      "The pause after a life shorter than the threshold; each one doubles it"
    ).pipe(Flag.withAlias("minrestartdelay")),
    maxRestartDelay: seconds("max-restart-delay", "M", 3600, "The longest pause").pipe(
      Flag.withAlias("maxrestartdelay")
    ),
    command: Argument.String("command").pipe(
      Argument.variadic(),
      Argument.withDescription("The program and its arguments, behind --")
    )
  },
  make: Effect.fnUntraced(function* ({ command: [program, ...args], ...times }) {
    if (program === undefined) {
      return yield* new UsageError({
        detail: "no program is given",
        hint: "spindle procmon -- PROGRAM ARGUMENTS"
      })
    }
    for (const [name, value] of Object.entries(times)) {
      if (value >= 0) continue
      const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      return yield* new UsageError({ detail: `--${flag} must not be negative, as ${value} is` })
    }
    return ProcessService.make({
      program,
      args,
      threshold: Duration.seconds(times.threshold),
      killTime: Duration.seconds(times.killTime),
      minRestartDelay: Duration.seconds(times.minRestartDelay),
      maxRestartDelay: Duration.seconds(times.maxRestartDelay),
      // It has the time that it needs to be killed.
      stopTimeout: Duration.seconds(times.killTime + 30)
    })
  })
})
