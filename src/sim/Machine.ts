import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type { Engine } from "./Engine.ts"
import { type HardwareClock, MachineClock } from "./MachineClock.ts"
import type { Seed } from "./Seed.ts"
import { TaskQueue } from "./TaskQueue.ts"
import type { Moment } from "./Timeline.ts"

/**
 * One computer of the world, from boot to crash: the scheduler of its fibers, its clock, its chance. Stopped, it does nothing
 * until it goes on; slow, each of its tasks takes its time; dead, it does nothing any more, not even a finalizer.
 */
export class Machine implements Scheduler.Scheduler {
  readonly executionMode = "sync"
  readonly engine: Engine
  readonly id: number
  readonly name: string
  readonly seed: Seed
  readonly hardware: HardwareClock
  readonly clock: MachineClock
  /** Nanoseconds that a task may take, at most. */
  slowness = 0
  isStopped = false
  isDead = false
  private idleFrom = 0
  private heldMoments: Array<Moment> = []
  private heldQueues: Array<TaskQueue> = []

  constructor(engine: Engine, id: number, name: string, life: number, hardware: HardwareClock) {
    this.engine = engine
    this.id = id
    this.name = name
    this.seed = engine.seed.fork(`machine ${name} ${life}`)
    this.hardware = hardware
    this.clock = new MachineClock(this, hardware)
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    // Whoever is resumed here by somebody elsewhere waits in a queue until this machine goes on.
    return this.isStopped || this.isDead || this.engine.shouldYield(fiber, this)
  }

  makeDispatcher(): TaskQueue {
    return new TaskQueue(this)
  }

  /** What will happen here after so many nanoseconds. */
  plan(nanos: number, happen: () => void): Moment {
    return this.engine.plan(this, nanos, happen)
  }

  /** When the next task can be done, in nanoseconds from now; tasks are done one after another. */
  delay(): number {
    const { now } = this.engine
    this.idleFrom = Math.max(now, this.idleFrom) + this.seed.below(this.slowness + 1)
    return this.idleFrom - now
  }

  stop(): void {
    this.isStopped = true
  }

  goOn(): void {
    if (!this.isStopped) return
    this.isStopped = false
    for (const moment of this.heldMoments.splice(0)) {
      this.plan(0, () => {
        // It may have been taken back since.
        if (!moment.isOff) moment.happen()
      })
    }
    for (const queue of this.heldQueues.splice(0)) this.engine.ready(queue)
  }

  die(): void {
    this.isDead = true
    this.heldMoments = []
    this.heldQueues = []
    this.engine.bury(this)
  }

  holdMoment(moment: Moment): void {
    this.heldMoments.push(moment)
  }

  holdQueue(queue: TaskQueue): void {
    this.heldQueues.push(queue)
  }
}
