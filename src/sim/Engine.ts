import type * as Fiber from "effect/Fiber"
import * as FiberStory from "./FiberStory.ts"
import { Hash } from "./Hash.ts"
import { Machine } from "./Machine.ts"
import { HardwareClock } from "./MachineClock.ts"
import type { Seed } from "./Seed.ts"
import type { TaskQueue } from "./TaskQueue.ts"
import { Moment, Timeline } from "./Timeline.ts"

export interface EngineOptions {
  readonly seed: Seed
  /** Operations between two yields that are put in, on average; infinite for none. */
  readonly yieldEvery: number
  /** Operations of a fiber, from the one that resumes it, between which none is put in. */
  readonly yieldAfter: number
  /** Nanoseconds that a step takes. */
  readonly stepNanos: number
  readonly stepsMax: number
  readonly nanosMax: number
  /** Nanoseconds since 1970 when the world begins. */
  readonly epoch: number
}

/** Why the engine stopped. */
export type Halt = "Done" | "Idle" | "StepLimit" | "TimeLimit" | "Broken"

const touchesMax = 16

/** Something from outside reached in, or was asked for. */
export interface Touch {
  readonly what: string
  /** The name of the fiber that runs, or was resumed. */
  readonly fiber: string | undefined
  readonly stack: string | undefined
}

/**
 * The loop of a world: it does one thing after another, chosen by the seed among all that could be next, and moves the time
 * on to the next moment when there is nothing to do. It runs within one call, without an event loop below it.
 */
export class Engine {
  readonly seed: Seed
  readonly hash = new Hash()
  readonly machines: Array<Machine> = []
  /** Fibers that have run and are not over, in the order they began. */
  readonly fibers = new Map<Fiber.Fiber<unknown, unknown>, Machine>()
  readonly touches: Array<Touch> = []
  /** Called after each step; true stops the engine. */
  watch: (() => boolean) | undefined = undefined
  now = 0
  steps = 0
  isRunning = false
  private readonly options: EngineOptions
  private readonly choice: Seed
  private readonly queues: Array<TaskQueue> = []
  private readonly timeline = new Timeline()
  private orders = 0
  private untilYield: number

  constructor(options: EngineOptions) {
    this.options = options
    this.seed = options.seed
    this.choice = options.seed.fork("choice")
    this.untilYield = this.drawYield()
  }

  /** A new computer. */
  machine(name: string): Machine {
    const clock = new HardwareClock(() => this.now, this.options.epoch)
    const machine = new Machine(this, this.machines.length, name, 0, clock)
    this.machines.push(machine)
    return machine
  }

  /** The next life of a computer. */
  reboot({ hardware, id, name }: Machine, life: number): Machine {
    const machine = new Machine(this, id, name, life, hardware)
    this.machines[id] = machine
    return machine
  }

  /** Forgets the fibers of a machine. */
  bury(dead: Machine): void {
    for (const [fiber, machine] of this.fibers) if (machine === dead) this.fibers.delete(fiber)
  }

  // --- what is to be done -------------------------------------------------------------------------------

  plan(machine: Machine, nanos: number, happen: () => void): Moment {
    if (!this.isRunning) this.touched("something was planned from outside the world")
    const at = this.now + Math.max(0, nanos)
    // Of machines that are due at the same time, now this one is first, now that.
    const turn = Math.imul((at | 0) ^ Math.imul(machine.id + 1, 0x9e3779b9), 0x85ebca6b) >>> 0
    const moment = new Moment(at, turn, this.orders++, machine, happen)
    this.timeline.add(moment)
    return moment
  }

  cancel(moment: Moment): void {
    moment.isOff = true
    this.timeline.remove(moment)
  }

  ready(queue: TaskQueue): void {
    queue.isReady = true
    if (queue.machine.isStopped) queue.machine.holdQueue(queue)
    else this.queues.push(queue)
  }

  get momentsAhead(): number {
    return this.timeline.size
  }

  // --- the loop -----------------------------------------------------------------------------------------

  /** What happens in the meantime happens in the world. */
  whileRunning<A>(body: () => A): A {
    this.isRunning = true
    try {
      return body()
    } finally {
      this.isRunning = false
    }
  }

  /** Until `done`, or why it cannot go on. */
  run(done: () => boolean): Halt {
    const { nanosMax, stepNanos, stepsMax } = this.options
    for (;;) {
      if (this.touches.length > 0) return "Broken"
      if (done()) return "Done"
      if (this.steps >= stepsMax) return "StepLimit"
      const moment = this.timeline.first
      const queues = this.queues.length
      const isDue = moment !== undefined && moment.at <= this.now
      if (queues === 0 && moment === undefined) return "Idle"
      const options = queues + (isDue ? 1 : 0)
      const chosen = options > 1 ? this.choice.below(options) : 0
      this.steps++
      if (chosen < queues) {
        this.doTask(chosen)
      } else {
        if (moment!.at > nanosMax) return "TimeLimit"
        this.doMoment(moment!)
      }
      this.now += stepNanos
      if (this.watch?.() === true) return "Done"
    }
  }

  /** Lets what is under way arrive, for so long at most; whoever touches the outside now is not heard. */
  settle(nanos: number, stepsMax: number): void {
    const [until, steps] = [this.now + nanos, this.steps + stepsMax]
    this.run(() => this.now >= until || this.steps >= steps || (this.timeline.first?.at ?? until) > until)
  }

  private doTask(chosen: number): void {
    const { queues } = this
    const queue = queues[chosen]!
    const { machine } = queue
    this.hash.add(machine.id * 0x1_0000 + chosen)
    if (machine.isDead) return this.unready(chosen)
    if (machine.isStopped) {
      this.unready(chosen)
      queue.isReady = true
      return machine.holdQueue(queue)
    }
    const task = queue.take()
    if (queue.isEmpty) this.unready(chosen)
    task()
  }

  private unready(chosen: number): void {
    const { queues } = this
    queues[chosen]!.isReady = false
    const last = queues.pop()!
    if (chosen < queues.length) queues[chosen] = last
  }

  private doMoment(moment: Moment): void {
    this.timeline.remove(moment)
    const { at, machine } = moment
    if (at > this.now) this.now = at
    this.hash.add(at)
    this.hash.add(machine.id)
    if (machine.isDead) return
    if (machine.isStopped) machine.holdMoment(moment)
    else moment.happen()
  }

  // --- fibers -------------------------------------------------------------------------------------------

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>, machine: Machine): boolean {
    const { currentOpCount } = fiber
    if (currentOpCount === 1) {
      if (!this.isRunning) this.touched("a fiber went on, and nobody in the world had resumed it", fiber)
      this.meet(fiber, machine)
    }
    if (--this.untilYield > 0 || currentOpCount <= this.options.yieldAfter)
      return currentOpCount >= fiber.cache.maxOpsBeforeYield
    this.untilYield = this.drawYield()
    return this.isRunning
  }

  private meet(fiber: Fiber.Fiber<unknown, unknown>, machine: Machine): void {
    const known = this.fibers.get(fiber)
    if (known === machine) return
    // A host's first fiber was started by somebody else's scheduler.
    this.fibers.set(fiber, machine)
    if (known === undefined) fiber.addObserver(() => this.fibers.delete(fiber))
  }

  private drawYield(): number {
    const { yieldEvery } = this.options
    return Number.isFinite(yieldEvery)
      ? Math.ceil(this.choice.exponential(yieldEvery))
      : Number.MAX_SAFE_INTEGER
  }

  // --- outside ------------------------------------------------------------------------------------------

  touched(what: string, fiber?: Fiber.Fiber<unknown, unknown>, stack?: string): void {
    // The name of now: it may be another one when the run has ended.
    if (this.touches.length < touchesMax)
      this.touches.push({ what, fiber: fiber && FiberStory.nameOf(fiber), stack })
  }
}
