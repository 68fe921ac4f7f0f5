/** The life of a child after its start: how it ended, signals, and its end at the latest when its scope ends. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Program } from "../reactor/ProcessCommand.ts"
import { done, type ProcessEnd, Terminated } from "../reactor/ProcessEnd.ts"
import { ExitedAlready, InvalidSignal, SignalFailed, SignalNotPermitted } from "../reactor/ProcessError.ts"
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"
import * as Signals from "./NodeProcessSignals.ts"
import { onlyZombies } from "./NodeProcessTable.ts"
import { timerMillis } from "./timerMillis.ts"

const gone: Signals.Refusal = { code: "ESRCH", cause: undefined }

const graceDefault = "5 seconds"
/** After KILL: what does not die of that hangs in the kernel. */
const killedMillis = 10_000
/** How often a group is looked at whose leader is gone; in between twice as long each time. */
const lookMillis = 5
const lookMillisMax = 100
/** Dead members that nobody reaps are looked for from then on, in milliseconds; that is dear. */
const zombiesMillis = 100

/** Something that happens once, and those who wait for it. */
export class Happening<A> {
  private happened: A | undefined = undefined
  private readonly watchers = new Set<(value: A) => void>()

  get value(): A | undefined {
    return this.happened
  }

  done(value: A): void {
    if (this.happened !== undefined) return
    this.happened = value
    for (const tell of this.watchers) tell(value)
    this.watchers.clear()
  }

  /** Calls `tell` when it happens, if it has not; gives what forgets that. */
  watch(tell: (value: A) => void): () => void {
    if (this.happened === undefined) this.watchers.add(tell)
    return () => void this.watchers.delete(tell)
  }

  readonly wait: Effect.Effect<A> = Effect.callback((resume) => {
    if (this.happened !== undefined) return resume(Exit.succeed(this.happened))
    return Effect.sync(this.watch((value) => resume(Exit.succeed(value))))
  })
}

export class NodeProcessLife {
  readonly pid: number
  readonly program: string
  private readonly exit = new Happening<ProcessEnd>()
  private readonly ownsGroup: boolean
  private readonly endSignal: ProcessSignal
  private readonly graceMillis: number
  /** Nothing of the group is left: its number may belong to others from now on. */
  private groupGone = false

  constructor(pid: number, program: Program) {
    this.pid = pid
    this.program = program.program
    this.ownsGroup = program.group !== "shared" && process.platform !== "win32"
    this.endSignal = program.endSignal ?? "TERM"
    this.graceMillis = timerMillis(program.grace ?? graceDefault)
  }

  get end(): ProcessEnd | undefined {
    return this.exit.value
  }

  get exited(): Effect.Effect<ProcessEnd> {
    return this.exit.wait
  }

  /** The platform tells of the exit, as soon as it is reaped. */
  onExit(exitCode: number | undefined, signal: ProcessSignal | undefined): void {
    this.groupGone = !this.ownsGroup || !Signals.hasOrphans(this.pid)
    const { program } = this
    this.exit.done(exitCode === 0 ? done : new Terminated({ program, exitCode, signal }))
  }

  // --- signals ------------------------------------------------------------------------------------------

  readonly signal = (signal: ProcessSignal | number): Effect.Effect<void, SignalFailed> =>
    checkPhase(() => (this.isThere() ? Signals.send(this.pid, signal) : gone)).pipe(
      Effect.flatMap((refusal) => this.outcome(signal, refusal))
    )

  readonly signalGroup = (signal: ProcessSignal | number): Effect.Effect<void, SignalFailed> =>
    this.ownsGroup
      ? checkPhase(() => (this.isGroupThere() ? Signals.send(-this.pid, signal) : gone)).pipe(
          Effect.flatMap((refusal) => this.outcome(signal, refusal))
        )
      : this.signal(signal)

  private outcome(
    signal: ProcessSignal | number,
    refusal: Signals.Refusal | undefined
  ): Effect.Effect<void, SignalFailed> {
    if (refusal === undefined) return Effect.void
    const { cause, code } = refusal
    const fields = { errno: code, cause }
    const reason =
      code === "ESRCH"
        ? new ExitedAlready({ detail: "it has exited", ...fields })
        : code === "EPERM"
          ? new SignalNotPermitted({ detail: "it belongs to another user", ...fields })
          : new InvalidSignal({ detail: "there is no such signal", ...fields })
    return Effect.fail(new SignalFailed({ program: this.program, pid: this.pid, signal, reason }))
  }

  /** Whether the process has its number still: dead or alive, it was not reaped. */
  protected isThere(): boolean {
    return this.end === undefined
  }

  private isGroupThere(): boolean {
    if (this.end === undefined) return this.isThere()
    if (!this.groupGone && !Signals.hasOrphans(this.pid)) this.groupGone = true
    return !this.groupGone
  }

  private get isOver(): boolean {
    return this.end !== undefined && !(this.ownsGroup && this.isGroupThere())
  }

  // --- the end ------------------------------------------------------------------------------------------

  /** Asks all to end, and then makes them; who is interrupted while waiting has at least asked. */
  get stop(): Effect.Effect<ProcessEnd> {
    return Effect.gen({ self: this }, function* () {
      if (!this.isOver) {
        yield* Effect.ignore(this.signalGroup(this.endSignal))
        // One that is stopped hears of it only when it goes on.
        yield* Effect.ignore(this.signalGroup("CONT"))
        yield* this.overWithin(this.graceMillis)
      }
      if (!this.isOver) {
        yield* Effect.ignore(this.signalGroup("KILL"))
        yield* this.overWithin(killedMillis)
      }
      if (this.end === undefined) {
        yield* Effect.logError(`${this.program} (${this.pid}) does not even end when it is killed`)
        return new Terminated({ program: this.program, exitCode: undefined, signal: "KILL" })
      }
      return this.end
    })
  }

  /** Waits until nothing is left, at most so long. In real time: what is waited for is real. */
  private overWithin(millis: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const began = performance.now()
      let pause = lookMillis
      let timer: NodeJS.Timeout | undefined
      const look = (): void => {
        clearTimeout(timer)
        const passed = performance.now() - began
        const zombies = passed >= zombiesMillis && this.end !== undefined && onlyZombies(this.pid)
        if (zombies) this.groupGone = true
        if (zombies || this.isOver || passed >= millis) {
          stop()
          return resume(Effect.void)
        }
        // An exit is told; a group's end is not.
        const wait = this.end === undefined ? millis - passed : Math.min(pause, millis - passed)
        pause = Math.min(2 * pause, lookMillisMax)
        timer = setTimeout(look, Math.max(wait, 1))
      }
      const forget = this.exit.watch(look)
      const stop = () => {
        clearTimeout(timer)
        forget()
      }
      look()
      return Effect.sync(stop)
    })
  }
}

/**
 * Runs `f` where all children that the system has reaped are known to be gone. In other phases of the event loop one that was reaped
 * together with another may not have been reported yet, and its number is free.
 */
const checkPhase = <A>(f: () => A): Effect.Effect<A> =>
  Effect.callback((resume) => {
    const immediate = setImmediate(() => resume(Exit.succeed(f())))
    return Effect.sync(() => clearImmediate(immediate))
  })
