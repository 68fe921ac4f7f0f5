/** Who is to blame for what ended a connection: what is ours is reported, the peer's is told at level Debug. */
import * as Cause from "effect/Cause"
import { attempt, isObject, property } from "../result/FailureReading.ts"
import { TransportError } from "./ReactorError.ts"
import type { Fault } from "./Reason.ts"

/** Whose fault it is, if the error says so by its `reason.fault`. What we aborted ourselves, as a draining server does, is meant. */
const faultOf = (error: unknown): Fault | "Nobody" | undefined => {
  const reason = isObject(error) ? property(error, "reason") : undefined
  if (!isObject(reason)) return undefined
  if (attempt(() => error instanceof TransportError && error.reason._tag === "Aborted", false))
    return "Nobody"
  const fault = property(reason, "fault")
  return fault === "Local" || fault === "Remote" ? fault : undefined
}

const isEnd = (error: unknown): boolean => attempt(() => Cause.isDone(error), false)

/**
 * Whether something in it is our fault: a defect, or an error that says so. Interruptions and the end of input are nobody's.
 * `unsaid` is for errors that do not say: `Local` for what a protocol throws, `Remote` where failing is the peer's part.
 */
export const isFaulty = (cause: Cause.Cause<unknown>, unsaid: Fault): boolean =>
  cause.reasons.some(
    (reason) =>
      reason._tag === "Die" ||
      (reason._tag === "Fail" && !isEnd(reason.error) && (faultOf(reason.error) ?? unsaid) === "Local")
  )
