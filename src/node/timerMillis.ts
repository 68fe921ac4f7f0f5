import * as Duration from "effect/Duration"

/** The longest time that Node's timers take, in milliseconds: 24 days. What is longer they take for none. */
export const timerMax = 2 ** 31 - 1

/** A duration as Node's timers take it, in milliseconds; what is longer than they take is cut. */
export const timerMillis = (duration: Duration.Input): number =>
  Math.min(Duration.toMillis(duration), timerMax)
