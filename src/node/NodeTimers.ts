/** `Timers` on one timer of Node. */
import { AsyncLocalStorage } from "node:async_hooks"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { make as makeTimers, Timers } from "../reactor/Timers.ts"
import { ClockAlarm } from "../reactor/TimersClock.ts"
import type { Alarm } from "../reactor/TimersEngine.ts"
import { timerMax } from "./timerMillis.ts"

/**
 * An alarm of one `setTimeout`. It is set when the current callback ends, once, however often the earliest deadline
 * changed meanwhile. What is due comes after what the event loop has ready: `setImmediate`.
 */
class NodeAlarm implements Alarm {
  private readonly ring: () => void
  private deadline = Number.POSITIVE_INFINITY
  private setting = false
  private timeout: NodeJS.Timeout | undefined = undefined
  private immediate: NodeJS.Immediate | undefined = undefined

  constructor(ring: () => void) {
    // Calls are not made in the asynchronous context of whichever caller happened to set the alarm.
    this.ring = AsyncLocalStorage.bind(ring)
  }

  readonly now = (): number => performance.now()

  readonly set = (deadline: number): void => {
    this.deadline = deadline
    if (this.setting) return
    this.setting = true
    process.nextTick(this.apply)
  }

  private readonly apply = (): void => {
    this.setting = false
    clearTimeout(this.timeout)
    clearImmediate(this.immediate)
    this.timeout = undefined
    this.immediate = undefined
    if (this.deadline === Number.POSITIVE_INFINITY) return
    const delay = this.deadline - performance.now()
    if (delay <= 0) this.immediate = setImmediate(this.rang)
    // Node counts from the beginning of the turn and in whole milliseconds: it may ring early, and is set again.
    else this.timeout = setTimeout(this.rang, Math.min(Math.ceil(delay), timerMax))
  }

  private readonly rang = (): void => {
    this.ring()
  }
}

/** Whether this is the clock that everybody has who was given no other. */
const isLive = (clock: Clock.Clock): boolean => clock === Context.get(Context.empty(), Clock.Clock)

/** Timers of Node. Where Effect's `Clock` is another than the live one, as in a test, they keep step with that. */
export const layer: Layer.Layer<Timers> = Layer.effect(
  Timers,
  makeTimers((context, ring) =>
    isLive(Context.get(context, Clock.Clock)) ? new NodeAlarm(ring) : new ClockAlarm(context, ring)
  )
)
