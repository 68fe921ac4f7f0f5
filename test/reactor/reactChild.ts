/** A program of `react`; the first argument says what its main function does. */
import * as fs from "node:fs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as NodeReact from "../../src/node/NodeReact.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { ExitCode } from "../../src/reactor/react.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly part: string }> {}

const say = (line: string) => Effect.sync(() => void fs.writeSync(1, `${line}\n`))

/** By way of the stream, which waits for whoever reads: the descriptor does not, once the stream has been used. */
const write = (text: string) => Effect.sync(() => void process.stdout.write(text))

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown, NodeReact.Provided>>> = {
  success: deferLater("20 millis", say("done")),
  failure: deferLater("20 millis", Effect.fail(new Broken({ part: "the left one" }))),
  defect: Effect.die(new Error("a defect")),
  code: Effect.fail(new ExitCode({ code: 42 })),
  wrongCode: Effect.fail(new ExitCode({ code: 1000 })),
  // What it began ends before the process does; a timer of its own does not hold the process.
  leaving: Effect.gen(function* () {
    setInterval(() => {}, 1000)
    const reactor = yield* Reactor
    yield* reactor.listen(Endpoint.tcp({ port: 0 }))
    yield* Effect.addFinalizer(() =>
      deferLater("20 millis", write("cleaned up\n")).pipe(
        Effect.andThen(Effect.sync(() => fs.writeSync(2, "ended\n"))),
        Effect.orDie
      )
    )
    yield* Effect.forkScoped(Effect.never)
    yield* write("x".repeat(1 << 20))
    yield* write("\n")
  }),
  throwing: Effect.suspend(() => {
    throw new Error("thrown")
  }),
  interrupted: Effect.interrupt,
  // Nobody reads it.
  unread: Effect.gen(function* () {
    yield* Effect.addFinalizer(() =>
      deferLater(
        "20 millis",
        Effect.sync(() => fs.writeSync(2, "cleaned up\n"))
      ).pipe(Effect.orDie)
    )
    yield* write("x".repeat(1 << 20))
    return yield* Effect.fail(new ExitCode({ code: 3 }))
  }),
  waiting: Effect.andThen(say("waiting"), Effect.never).pipe(
    Effect.onInterrupt(() => deferLater("20 millis", say("cleaned up")).pipe(Effect.orDie))
  ),
  stubborn: Effect.andThen(say("waiting"), Effect.never).pipe(
    Effect.onInterrupt(() => Effect.andThen(say("never ready"), Effect.never))
  )
}

NodeReact.react((name = "", ...args) =>
  Effect.andThen(
    args.length === 0 ? Effect.void : say(args.join(",")),
    programs[name] ?? Effect.die("no such program")
  )
)
