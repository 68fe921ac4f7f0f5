import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Statistics } from "../memory/MemoryNetwork.ts"
import { Engine, type Halt, type Touch } from "./Engine.ts"
import * as FiberStory from "./FiberStory.ts"
import { History } from "./History.ts"
import * as Host from "./Host.ts"
import { inside, type Provided } from "./Inside.ts"
import * as Nanos from "./Nanos.ts"
import * as Outside from "./Outside.ts"
import { Seed, type Input as SeedInput } from "./Seed.ts"
import * as SimError from "./SimError.ts"
import { type NetworkOptions, SimNetwork } from "./SimNetwork.ts"

export interface Options extends NetworkOptions {
  readonly seed: SeedInput
  /** Operations of fibers between two yields that are put in at random, on average; `Infinity` for none. Default 200. */
  readonly yieldEvery?: number | undefined
  /**
   * How many operations of a fiber are never cut after it was resumed. Effect's own scheduler cuts none of the first 2,047. With 1, the
   * least, only the one that hands it what it waited for is whole. Default 16.
   */
  readonly yieldAfter?: number | undefined
  /** Virtual time that a step takes: whoever waits by asking again and again gets older, too. Default 1 microsecond. */
  readonly stepTime?: Duration.Input | undefined
  /** Default 20 million. */
  readonly stepsMax?: number | undefined
  /** Virtual time after which the run is given up. Default 1 day. */
  readonly timeMax?: Duration.Input | undefined
  /** The wall clock when the world begins, in milliseconds since 1970. Default: 2026-01-01. */
  readonly startMillis?: number | undefined
  /** What differs from what the seed says: a smaller run that `Shrink` found. */
  readonly overrides?: Overrides | undefined
  /** Entries of the history that are kept; the newest. Default 10,000. */
  readonly historyMax?: number | undefined
}

/** What is not as the seed says. */
export interface Overrides {
  /** Values of dials, by name. */
  readonly dials?: Readonly<Record<string, number>> | undefined
  /** The faults of swarms that happen, by number; no others do. */
  readonly faults?: ReadonlyArray<number> | undefined
  /** `false`: no yields are put in. */
  readonly yields?: boolean | undefined
}

/** What a run was made of: what a smaller one has less of. */
export interface Ingredients {
  /** The dials that were asked for, their values, and how small they may be. */
  readonly dials: ReadonlyMap<string, { readonly value: number; readonly min: number }>
  /** The faults of swarms that happened. */
  readonly faults: ReadonlyArray<number>
}

/** What came of it. */
export interface Run<out A = unknown, out E = unknown> {
  /** What the program gave, or why the run did not come to its end. */
  readonly exit: Exit.Exit<A, E | SimError.SimError>
  readonly seed: string
  readonly steps: number
  /** Virtual time that passed. */
  readonly time: Duration.Duration
  readonly history: History
  readonly ingredients: Ingredients
  /** Equal for equal histories, in any process: 16 hexadecimal digits over every step and everything that was sent. */
  readonly hash: string
  /** What was still open on the network at the end: nothing, where nothing was left behind. */
  readonly open: Statistics
  /** Who was still alive at the end, and where it waits. It takes its time: ask where something went wrong. */
  readonly alive: () => ReadonlyArray<string>
}

/** What must be true: `false`, a text, or throwing says that it is not. */
export type Check = () => boolean | string | void

const epochMillisDefault = 1_767_225_600_000
const yieldEveryDefault = 200
const yieldAfterDefault = 16
const stepsMaxDefault = 20_000_000
const timeMaxDefault = "1 day"
const toldMax = 50

/** When the program is over, its last segments are still under way, or lost and sent again. */
const settleNanos = 10e9
const settleStepsMax = 100_000

/** One run of a program in a world of its own. */
export class Running {
  readonly engine: Engine
  readonly history: History
  readonly network: SimNetwork
  readonly hosts = new Map<string, Host.Host>()
  private readonly options: Options
  private readonly dials = new Map<string, { readonly value: number; readonly min: number }>()
  private readonly faults: Array<number> = []
  private readonly checks = new Map<string, Check>()
  private broken: SimError.Reason | undefined = undefined

  constructor(options: Options) {
    this.options = options
    this.engine = new Engine({
      seed: new Seed(options.seed),
      yieldEvery:
        options.overrides?.yields === false
          ? Number.POSITIVE_INFINITY
          : (options.yieldEvery ?? yieldEveryDefault),
      yieldAfter: Math.max(1, options.yieldAfter ?? yieldAfterDefault),
      stepNanos: Nanos.of(options.stepTime ?? "1 micros"),
      stepsMax: options.stepsMax ?? stepsMaxDefault,
      nanosMax: Nanos.of(options.timeMax ?? timeMaxDefault),
      epoch: (options.startMillis ?? epochMillisDefault) * Nanos.perMilli
    })
    this.history = new History(this.engine, options.historyMax)
    this.network = new SimNetwork(this.engine, this.history, options)
  }

  run<A, E>(program: Effect.Effect<A, E, Provided>): Run<A, E> {
    const { engine, history, network } = this
    const node = network.node(network.main)
    const before = Outside.resources()
    let exit: Exit.Exit<A, E> | undefined
    const whole = Effect.onExit(inside(network, node, program), () => this.stopHosts)
    const halt = Outside.within(engine, node.machine.hardware, () =>
      engine.whileRunning(() => {
        const main = Effect.runForkWith(Context.empty())(whole, { scheduler: node.machine })
        main.addObserver((end) => {
          exit = end
        })
        const halt = engine.run(() => exit !== undefined || this.broken !== undefined)
        if (halt === "Done" && this.broken === undefined) engine.settle(settleNanos, settleStepsMax)
        return halt
      })
    )
    const problem = this.broken ?? this.problemOf(halt, before)
    return {
      exit: problem === undefined ? exit! : Exit.fail(this.error(problem)),
      seed: String(this.options.seed),
      steps: engine.steps,
      time: Duration.nanos(BigInt(Math.round(engine.now))),
      history,
      ingredients: { dials: this.dials, faults: this.faults },
      hash: engine.hash.digest,
      open: network.names.count(),
      alive: () => this.alive
    }
  }

  add<A, E>(name: string, program: Effect.Effect<A, E, Provided>, mayFail: boolean): Host.Host<A, E> {
    const { hosts, network } = this
    if (hosts.has(name)) throw new TypeError(`there is a host "${name}" already`)
    const ended = (exit: Exit.Exit<A, E>) => {
      if (mayFail || Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
      const { cause } = exit
      this.breaks(new SimError.HostFailed({ host: name, cause, detail: Cause.pretty(cause) }))
    }
    const host = Host.make({ network, node: network.node(name), program, ended })
    hosts.set(name, host)
    return host
  }

  /** The program is over: all others are asked to end, wherever they are. */
  private get stopHosts(): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const node of this.network.all) node.goOn()
      return Effect.forEach([...this.hosts.values()], (host) => host.stop, {
        concurrency: "unbounded",
        discard: true
      })
    })
  }

  // --- what a smaller run has less of -----------------------------------------------------------------------

  /** A whole number that is the seed's choice. */
  dial(name: string, min: number, max: number): number {
    const drawn = this.engine.seed.fork(`dial ${name}`).between(min, max)
    const value = Math.max(min, this.options.overrides?.dials?.[name] ?? drawn)
    this.dials.set(name, { value, min })
    return value
  }

  /** Whether the fault of that number of a swarm happens. */
  happens(fault: number): boolean {
    const { faults } = this.options.overrides ?? {}
    if (faults !== undefined && !faults.includes(fault)) return false
    this.faults.push(fault)
    return true
  }

  // --- what must be true --------------------------------------------------------------------------------

  /** Asked after each step from now on; gives what ends that. */
  watch(name: string, check: Check): () => void {
    const { checks, engine } = this
    checks.set(name, check)
    engine.watch = () => this.checkAll()
    return () => {
      if (checks.get(name) === check) checks.delete(name)
      if (checks.size === 0) engine.watch = undefined
    }
  }

  private checkAll(): boolean {
    for (const [name, check] of this.checks) {
      try {
        const said = check()
        if (said === false || typeof said === "string") {
          this.breaks(new SimError.InvariantBroken({ name, detail: said === false ? "" : said }))
        }
      } catch (cause) {
        this.breaks(new SimError.InvariantBroken({ name, detail: String(cause), cause }))
      }
    }
    return this.broken !== undefined
  }

  /** The run is over, and why; the first reason counts. */
  breaks(reason: SimError.Reason): void {
    this.broken ??= reason
  }

  // --- what goes wrong ----------------------------------------------------------------------------------

  private problemOf(halt: Halt, before: ReadonlyMap<string, number>): SimError.Reason | undefined {
    const { stepsMax = stepsMaxDefault, timeMax = timeMaxDefault } = this.options
    const limit = (limit: "steps" | "virtual time", max: string) =>
      new SimError.LimitReached({ limit, max, waiting: this.alive })
    switch (halt) {
      case "Done":
        return undefined
      case "Idle":
        return this.idle(Outside.added(before))
      case "StepLimit":
        return limit("steps", String(stepsMax))
      case "TimeLimit":
        return limit("virtual time", Duration.format(Duration.fromInputUnsafe(timeMax)))
      case "Broken":
        return outside(this.engine.touches[0]!)
    }
  }

  private idle(opened: ReadonlyArray<string>): SimError.Reason {
    const waiting = this.alive
    if (opened.length === 0) {
      return new SimError.Deadlock({ waiting, open: this.network.names.count().ports })
    }
    const what = `somebody waits for the platform (${opened.join(", ")})`
    return new SimError.Outside({ what, fiber: undefined, place: undefined, waiting })
  }

  private get alive(): ReadonlyArray<string> {
    const all = [...this.engine.fibers].filter(([fiber]) => fiber.pollUnsafe() === undefined)
    const told = FiberStory.tell(all.slice(0, toldMax))
    return all.length > toldMax ? [...told, `and ${all.length - toldMax} more`] : told
  }

  private error(reason: SimError.Reason): SimError.SimError {
    const { now, steps } = this.engine
    return new SimError.SimError({
      seed: String(this.options.seed),
      steps,
      time: Nanos.format(now),
      reason
    })
  }
}

const outside = ({ fiber, stack, what }: Touch): SimError.Outside =>
  new SimError.Outside({
    what,
    fiber,
    place: stack === undefined ? undefined : FiberStory.placeOf(stack)
  })
