/** Timers whose clock jumps: what is late is late, as on a busy machine. `TestClock` stops at every deadline. */
import * as Effect from "effect/Effect"
import * as Timers from "../../src/reactor/Timers.ts"

export const manualTimers = Effect.suspend(() => {
  let time = 0
  let armed = Number.POSITIVE_INFINITY
  let ring = () => {}
  return Effect.map(
    Timers.make((_, ringIt) => {
      ring = ringIt
      return {
        now: () => time,
        set: (deadline) => {
          armed = deadline
        }
      }
    }),
    (timers) => ({
      timers,
      /** What the alarm is set to. */
      armed: () => armed,
      /** Sets the clock, and rings at most once. */
      jumpTo: (to: number) => {
        time = to
        if (time < armed) return
        armed = Number.POSITIVE_INFINITY
        ring()
      }
    })
  )
})
