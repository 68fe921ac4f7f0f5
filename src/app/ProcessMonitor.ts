/** One program that is kept running. Twisted: `runner.procmon.ProcessMonitor`. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { ReadPipe, Running } from "../reactor/Process.ts"
import type { Program } from "../reactor/ProcessCommand.ts"
import type { ProcessEnd } from "../reactor/ProcessEnd.ts"
import type { SignalFailed, SpawnFailed } from "../reactor/ProcessError.ts"
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"
import { Processes } from "../reactor/ProcessesService.ts"
import { ProcessLines } from "./ProcessLines.ts"

export interface Options extends Omit<Program, "grace"> {
  /** What its lines are logged as. Default: the program. */
  readonly name?: string | undefined
  /** Having lived so long, it is started again at once when it ends. Default 1 second. */
  readonly threshold?: Duration.Input | undefined
  /** How long it has, told to end, before it is killed. Default 5 seconds. */
  readonly killTime?: Duration.Input | undefined
  /** The pause after the first life shorter than the threshold. Each such one doubles it. Default 1 second. */
  readonly minRestartDelay?: Duration.Input | undefined
  /** The longest pause. Default 1 hour. */
  readonly maxRestartDelay?: Duration.Input | undefined
  /** Longer lines of its output are cut. Default 16,384. */
  readonly lineCharactersMax?: number | undefined
}

export interface Snapshot {
  readonly program: string
  /** Undefined while it is between two lives. */
  readonly pid: number | undefined
  /** How often it was started. */
  readonly starts: number
  /** When it was started last; milliseconds since the epoch. */
  readonly since: number
  /** How it ended last: a sentence. */
  readonly lastEnd: string | undefined
}

export interface ProcessMonitor {
  readonly snapshot: Effect.Effect<Snapshot>
  /** Sends a signal to the program, if it is there. */
  readonly signal: (signal: ProcessSignal) => Effect.Effect<void, SignalFailed>
  /** Starts it again whenever it has ended, for ever. Run it once. */
  readonly run: Effect.Effect<never>
}

/** A program that runs, what it says, and what its end ends. */
interface Life {
  readonly process: Running
  readonly begun: bigint
  readonly end: Effect.Effect<ProcessEnd>
  readonly close: Effect.Effect<void>
}

/**
 * Starts the program; that it cannot be is a failure now, and a short life later on. The end of the scope ends it: it is asked to,
 * given `killTime`, killed, with all of its group, and waited for; what it says meanwhile is logged. What it reads is empty.
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<ProcessMonitor, SpawnFailed, Processes | Scope.Scope> {
  const processes = yield* Processes
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const name = options.name ?? options.program
  const lineCharactersMax = options.lineCharactersMax ?? 16_384
  const thresholdNanos = Duration.toNanosUnsafe(Duration.fromInputUnsafe(options.threshold ?? "1 second"))
  const delayMin = Duration.toMillis(Duration.fromInputUnsafe(options.minRestartDelay ?? "1 second"))
  const delayMax = Duration.toMillis(Duration.fromInputUnsafe(options.maxRestartDelay ?? "1 hour"))
  const command = {
    ...options,
    grace: options.killTime ?? "5 seconds",
    childFDs: { 0: "null" }
  } as const

  let life: Life | undefined
  let starts = 0
  let since = clock.currentTimeMillisUnsafe()
  let lastEnd: string | undefined
  let delay = delayMin

  const launch: Effect.Effect<Life, SpawnFailed> = Effect.uninterruptible(
    Effect.gen(function* () {
      const living = yield* Scope.fork(scope)
      const close = Scope.close(living, Exit.void)
      const process = yield* processes.spawn(command).pipe(
        Scope.provide(living),
        Effect.tapError(() => close)
      )
      starts++
      since = clock.currentTimeMillisUnsafe()
      const heard = yield* Effect.all([listen(process.stdout, "out"), listen(process.stderr, "err")], {
        concurrency: 2,
        discard: true
      }).pipe(Effect.forkIn(living, { startImmediately: true }))
      // The end of its scope would drop what it says until it is gone: so it is ended before, and heard to the end.
      yield* Scope.addFinalizer(living, Effect.andThen(process.stop, Fiber.await(heard)))
      return { process, begun: clock.monotonicTimeNanosUnsafe(), end: process.ended, close }
    })
  )

  const listen = (pipe: ReadPipe, stream: "err" | "out") =>
    Effect.suspend(() => {
      const lines = new ProcessLines(lineCharactersMax)
      const log = (lines: ReadonlyArray<string>) =>
        Effect.forEach(lines, (line) => Effect.logInfo(line), { discard: true })
      return pipe
        .receiveEach((bytes) => log(lines.push(bytes)))
        .pipe(
          // A pipe that breaks has ended.
          Effect.ignore,
          Effect.andThen(Effect.suspend(() => log(lines.end()))),
          Effect.annotateLogs({ process: name, stream })
        )
    })

  const after = Effect.fnUntraced(function* (how: string, livedNanos: bigint) {
    lastEnd = how
    const long = livedNanos >= thresholdNanos
    const pause = long ? 0 : delay
    delay = long ? delayMin : Math.min(2 * delay, delayMax)
    yield* Effect.logWarning(
      `${how}; it is started again ${pause === 0 ? "at once" : `in ${Duration.format(Duration.millis(pause))}`}`
    )
    yield* Effect.sleep(pause)
  })

  const lives = Effect.fnUntraced(function* () {
    while (true) {
      if (life === undefined) {
        const launched = yield* Effect.result(launch)
        if (launched._tag === "Failure") {
          yield* after(launched.failure.message, 0n)
          continue
        }
        life = launched.success
      }
      const { begun, close, end } = life
      const ended = yield* end
      const lived = clock.monotonicTimeNanosUnsafe() - begun
      life = undefined
      yield* close
      yield* after(ended._tag === "Done" ? `${options.program} ended` : ended.message, lived)
    }
  })

  life = yield* launch
  return {
    snapshot: Effect.sync(() => ({
      program: options.program,
      pid: life?.process.pid,
      starts,
      since,
      lastEnd
    })),
    signal: (signal) => Effect.suspend(() => life?.process.signal(signal) ?? Effect.void),
    run: Effect.annotateLogs(lives(), "process", name) as Effect.Effect<never>
  }
})
