import type * as Scheduler from "effect/Scheduler"
import type { Machine } from "./Machine.ts"

type Task = () => void

/**
 * What one dispatcher has to do, in its order: by priority, then first come. Which of all queues goes on next is the
 * seed's choice; within one nothing is turned round, as Effect promises.
 */
export class TaskQueue implements Scheduler.SchedulerDispatcher {
  readonly machine: Machine
  private tasks: Array<Task> = []
  private head = 0
  /** Those of another priority than 0: few, if any. */
  private others: Array<{ readonly priority: number; readonly task: Task }> | undefined = undefined
  /** Whether the engine knows that something is to be done. */
  isReady = false

  constructor(machine: Machine) {
    this.machine = machine
  }

  get isEmpty(): boolean {
    return this.head === this.tasks.length && (this.others === undefined || this.others.length === 0)
  }

  scheduleTask(task: Task, priority: number): void {
    const { machine } = this
    const { engine } = machine
    if (machine.isDead) return
    if (!engine.isRunning) engine.touched("a task was scheduled from outside the world")
    if (machine.slowness > 0) machine.plan(machine.delay(), () => this.add(task, priority))
    else this.add(task, priority)
  }

  private add(task: Task, priority: number): void {
    if (priority === 0) this.tasks.push(task)
    else {
      const others = (this.others ??= [])
      const behind = others.findIndex((other) => other.priority > priority)
      others.splice(behind < 0 ? others.length : behind, 0, { priority, task })
    }
    if (!this.isReady) this.machine.engine.ready(this)
  }

  take(): Task {
    const other = this.others?.[0]
    const isEmpty = this.head === this.tasks.length
    if (other !== undefined && (isEmpty || other.priority < 0)) {
      this.others!.shift()
      return other.task
    }
    const task = this.tasks[this.head]!
    this.head++
    if (this.head === this.tasks.length) {
      this.tasks.length = 0
      this.head = 0
    } else if (this.head === 1_024) {
      this.tasks = this.tasks.slice(this.head)
      this.head = 0
    }
    return task
  }

  flush(): void {
    while (!this.isEmpty) this.take()()
  }
}
