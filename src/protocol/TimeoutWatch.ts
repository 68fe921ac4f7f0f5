import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { TransportError } from "../reactor/ReactorError.ts"
import * as Immediate from "../reactor/Immediate.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Cut, type Farewell } from "./Cut.ts"
import { type Deadline, Deadlines, type Swept } from "./Deadlines.ts"
import { PhaseTimeoutError } from "./PhaseTimeoutError.ts"
import { graceDefault, type PhaseOptions, type Rate, RateWatch } from "./RateWatch.ts"
import { type Consume, immediate, WatchedTransport } from "./WatchedTransport.ts"

/** What `Timeout.over` watches a conversation for, besides its phases. */
export interface Watches {
  readonly firstByte?: Duration.Input | undefined
  readonly total?: Duration.Input | undefined
  readonly minReceiveRate?: Rate | undefined
  readonly sendProgress?: Duration.Input | undefined
}

/** The timers of one wrapper: one for each duration that somebody waits for. */
export class Timers {
  private readonly byMillis = new Map<number, Deadlines>()

  of(timeout: Duration.Input): Deadlines {
    const millis = Duration.toMillis(timeout)
    let deadlines = this.byMillis.get(millis)
    if (deadlines === undefined) this.byMillis.set(millis, (deadlines = new Deadlines(timeout)))
    return deadlines
  }

  /** Durations may be computed: one that nobody waits for is forgotten. */
  close(timeout: Duration.Input, deadlines: Deadlines, entry: Swept): void {
    deadlines.remove(entry)
    const millis = Duration.toMillis(timeout)
    if (deadlines.isEmpty && this.byMillis.get(millis) === deadlines) this.byMillis.delete(millis)
  }
}

type Passed = (error: PhaseTimeoutError) => void
type Farewells = (phase: string, transport: Transport) => Farewell

/** Deadlines that belong together. */
class Phase {
  private readonly timers: Timers
  private readonly open: Array<readonly [Duration.Input, Deadlines, Swept]> = []
  /** What is left to do before they run. */
  start: Effect.Effect<void> = Effect.void

  constructor(timers: Timers) {
    this.timers = timers
  }

  add<A extends Swept>(timeout: Duration.Input, make: (deadlines: Deadlines) => A): A {
    const deadlines = this.timers.of(timeout)
    const entry = make(deadlines)
    const open = deadlines.watch(entry)
    this.open.push([timeout, deadlines, entry])
    if (open !== Effect.void)
      this.start = this.start === Effect.void ? open : Effect.andThen(this.start, open)
    return entry
  }

  close(): void {
    for (const [timeout, deadlines, entry] of this.open) this.timers.close(timeout, deadlines, entry)
    this.open.length = 0
  }
}

/** One conversation's deadlines, and what they need to know of it. */
export class TimeoutWatch {
  /** The one that takes bytes now: TLS puts another in its place. */
  transport: Transport
  /** All bytes that have come. */
  received = 0
  /** Who waits for input; while nobody does, the peer is not to blame that none comes. */
  waiting = 0
  /** Ends the conversation. */
  readonly cut = new Cut<never, PhaseTimeoutError>()
  /** Errors of phases, so that those which nobody caught are known. */
  readonly failures = new WeakSet<PhaseTimeoutError>()
  private readonly timers: Timers
  private readonly whole: Phase
  private readonly beginning: Phase
  private readonly sendProgress: Deadline | undefined
  private readonly farewellOf: Farewells
  private sending = 0
  private entered: Phase | undefined = undefined

  constructor(timers: Timers, transport: Transport, watches: Watches, farewellOf: Farewells) {
    this.timers = timers
    this.farewellOf = farewellOf
    this.transport = transport
    this.whole = new Phase(timers)
    this.beginning = new Phase(timers)
    const { passed } = this
    const { firstByte, minReceiveRate, sendProgress, total } = watches
    this.deadline(this.beginning, "firstByte", firstByte, "no byte came", passed)?.touch()
    this.deadline(this.whole, "total", total, "it took longer", passed)?.touch()
    this.sendProgress = this.deadline(this.whole, "sendProgress", sendProgress, "nothing left", passed)
    if (minReceiveRate !== undefined) this.rate(this.whole, "receiveRate", minReceiveRate, true, passed)
  }

  get start(): Effect.Effect<void> {
    return Effect.andThen(this.beginning.start, this.whole.start)
  }

  private readonly passed = (error: PhaseTimeoutError): void =>
    this.cut.now(Effect.fail(error), this.farewellOf(error.phase, this.transport))

  close(): void {
    this.entered?.close()
    this.beginning.close()
    this.whole.close()
  }

  view(transport: Transport): Transport {
    this.transport = transport
    return new TimedTransport(transport, this)
  }

  // --- phases -------------------------------------------------------------------------------------------

  /** Runs `effect`, interrupts it when it takes longer, and fails then. */
  within<A, E, R>(
    name: string,
    timeout: Duration.Input,
    options: PhaseOptions,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PhaseTimeoutError, R> {
    return Effect.suspend(() => {
      let phase: Phase | undefined
      const bounded = Effect.suspend(() => {
        const cut = new Cut<never, PhaseTimeoutError>()
        phase = this.phase(name, timeout, options, (error) => {
          this.failures.add(error)
          cut.now(Effect.fail(error))
        })
        return Effect.andThen(phase.start, cut.around(effect))
      })
      return Effect.onExit(bounded, () => {
        phase?.close()
        return Effect.void
      })
    })
  }

  /** From now on the conversation is in this phase, and ends when it stays there longer. */
  enter(name: string, timeout: Duration.Input, options: PhaseOptions): Effect.Effect<void> {
    return Immediate.make(() => {
      this.entered?.close()
      this.entered = this.phase(name, timeout, options, this.passed)
      return this.entered.start
    })
  }

  readonly leave: Effect.Effect<void> = Immediate.make(() => {
    this.entered?.close()
    this.entered = undefined
    return Effect.void
  })

  private phase(name: string, timeout: Duration.Input, options: PhaseOptions, passed: Passed): Phase {
    const phase = new Phase(this.timers)
    this.deadline(phase, name, timeout, "it took longer", passed)?.touch()
    if (options.minReceiveRate !== undefined) this.rate(phase, name, options.minReceiveRate, false, passed)
    return phase
  }

  private deadline(
    phase: Phase,
    name: string,
    timeout: Duration.Input | undefined,
    what: string,
    passed: Passed
  ): Deadline | undefined {
    if (timeout === undefined || !Duration.isFinite(Duration.fromInputUnsafe(timeout))) return undefined
    const detail = `${what} ${what === "it took longer" ? "than" : "for"} ${show(timeout)}`
    return phase.add(timeout, (deadlines) => deadlines.make(() => passed(this.error(name, detail))))
  }

  private rate(phase: Phase, name: string, rate: Rate, sinceFirstByte: boolean, passed: Passed): void {
    const { bytesPerSecond, grace = graceDefault } = rate
    const detail = `fewer than ${bytesPerSecond} bytes a second came for ${show(grace)}`
    phase.add(
      grace,
      (deadlines) =>
        new RateWatch(this, rate, deadlines, sinceFirstByte, () => passed(this.error(name, detail)))
    )
  }

  private error(phase: string, detail: string): PhaseTimeoutError {
    const { local, peer } = this.transport
    return new PhaseTimeoutError({ phase, local, peer, reason: new Reason.TimedOut({ detail }) })
  }

  // --- what passes --------------------------------------------------------------------------------------

  gotBytes(bytes: Uint8Array): void {
    if (this.received === 0) this.beginning.close()
    this.received += bytes.length
  }

  /** Somebody waits for `input`. */
  awaiting<A, E, R>(input: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.waiting++
      return Effect.onExit(input, this.awaited)
    })
  }

  private readonly awaited = () => {
    this.waiting--
    return Effect.void
  }

  /** Within `awaiting`: for so long it is the protocol that is busy. */
  busy<E, R>(work: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> {
    return Effect.suspend(() => {
      this.waiting--
      return Effect.onExit(work, this.worked)
    })
  }

  private readonly worked = () => {
    this.waiting++
    return Effect.void
  }

  /** A `send` that has to wait for the peer. */
  clogged(rest: Effect.Effect<void, TransportError>): Effect.Effect<void, TransportError> {
    if (this.sendProgress === undefined) return rest
    return Effect.suspend(() => {
      if (this.sending++ === 0) this.sendProgress?.touch()
      return Effect.onExit(rest, this.unclogged)
    })
  }

  private readonly unclogged = () => {
    if (--this.sending === 0) this.sendProgress?.rest()
    else this.sendProgress?.touch()
    return Effect.void
  }
}

const show = (duration: Duration.Input): string => Duration.format(Duration.fromInputUnsafe(duration))

class TimedTransport extends WatchedTransport {
  private readonly watch: TimeoutWatch

  constructor(inner: Transport, watch: TimeoutWatch) {
    super(inner)
    this.watch = watch
  }

  protected override again(secured: Transport): Transport {
    return this.watch.view(secured)
  }

  protected override received(bytes: Uint8Array): Effect.Effect<void> {
    this.watch.gotBytes(bytes)
    return Effect.void
  }

  protected override makeReceive(): Transport["receive"] {
    return this.watch.awaiting(super.makeReceive())
  }

  override get receiveEach(): Transport["receiveEach"] {
    return (f) => this.watch.awaiting(super.receiveEach(f))
  }

  protected override eachReceived<E, R>(f: Consume<E, R>): Consume<E, R> {
    const begin = Immediate.beginning(f)
    const { watch } = this
    return super.eachReceived(
      immediate((bytes) => {
        const rest = begin(bytes)
        return rest === Effect.void ? rest : watch.busy(rest)
      })
    )
  }

  protected override sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    const rest = super.sendNow(data)
    return rest === Effect.void ? rest : this.watch.clogged(rest)
  }
}
