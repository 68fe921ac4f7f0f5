/** Effects as jobs: loaded by a thread when its first one comes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { CurrentJob, type ThreadJob } from "../reactor/ThreadJob.ts"
import { carry, messageOf, type Outcome } from "./NodeThreadsMessage.ts"

const outcomeOf = (exit: Exit.Exit<unknown, unknown>, job: ThreadJob): Outcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Success", value: exit.value }
  if (job.cancelled && Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Cancelled" }
  const error = Cause.squash(exit.cause)
  return { _tag: "Threw", detail: messageOf(error), cause: carry(error) }
}

/** Runs an effect to its end, whatever that is; hands out, at once, how to interrupt it. */
export const run = (
  effect: unknown,
  job: ThreadJob,
  onBegun: (interrupt: () => void) => void
): Promise<Outcome> =>
  new Promise((resolve) => {
    const fiber = Effect.runFork(
      Effect.provideService(effect as Effect.Effect<unknown, unknown, CurrentJob>, CurrentJob, job)
    )
    onBegun(() => fiber.interruptUnsafe())
    if (job.cancelled) fiber.interruptUnsafe()
    fiber.addObserver((exit) => resolve(outcomeOf(exit, job)))
  })
