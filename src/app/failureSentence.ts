import * as Failure from "../result/Failure.ts"
import { attempt } from "../result/FailureReading.ts"

/** What went wrong, in one line; without the name of an error whose sentence says it all. */
export const failureSentence = (failure: Failure.Failure<unknown>): string => {
  const text = Failure.message(failure)
  const name = attempt(() => {
    const error = Failure.squash(failure)
    return error instanceof Error && (error.name === "Error" || "_tag" in error) ? error.name : undefined
  }, undefined)
  return name !== undefined && text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text
}
