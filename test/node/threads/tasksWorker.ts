/** Tasks, as they are done. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ThreadTask from "../../../src/reactor/ThreadTask.ts"
import * as Tasks from "./tasks.ts"

export const ship = ThreadTask.implement(Tasks.Ship, (order, job) =>
  Effect.gen(function* () {
    yield* job.progress(order.placed)
    if (!(order instanceof Tasks.Order)) return yield* Effect.die(new Error("no order"))
    if (order.number > 100) return yield* new Tasks.TooLarge({ limit: 100 })
    if (order.number < 0) return yield* new Tasks.TooOld({ since: order.placed })
    return new Tasks.Order({ ...order, note: Option.some(`shipped ${order.number}`) })
  })
)

export const invert = ThreadTask.implement(Tasks.Invert, (bytes) =>
  Effect.sync(() => {
    for (let at = 0; at < bytes.length; at++) bytes[at] = ~bytes[at]!
    return bytes
  })
)

export const forever = ThreadTask.implement(Tasks.Forever, (_, job) =>
  Effect.andThen(
    Effect.sync(() => job.signal.aborted),
    Effect.never
  )
)

export const nothing = ThreadTask.implement(Tasks.Void, () => Effect.void)

export const wrong = ThreadTask.implement(Tasks.Wrong, (what, job) => {
  switch (what) {
    case "success":
      return Effect.succeed(-1)
    case "error":
      return Effect.fail(-1)
    case "progress":
      return Effect.as(job.progress(-1), 1)
    case "defect":
      return Effect.die(new RangeError("a defect"))
  }
})
