/** Functions that run in threads. */
import { setTimeout as sleep } from "node:timers/promises"
import { isMainThread, threadId } from "node:worker_threads"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { ThreadJob } from "../../../src/reactor/ThreadJob.ts"

export const add = (a: number, b: number): number => a + b

export const later = async (value: string): Promise<string> => {
  await sleep(1)
  return value
}

export const effect = (value: number) => Effect.as(Effect.sleep(1), value * 2)

export const where = () => ({ isMainThread, threadId })

export const notAFunction = 1

export class Odd extends Data.TaggedError("Odd")<{ readonly number: number }> {
  override get message(): string {
    return `${this.number} is odd`
  }
}

export const throws = (number: number): string => {
  throw new Odd({ number })
}

export const rejects = async (): Promise<string> => {
  throw new TypeError("no", { cause: { why: "because" } })
}

export const throwsText = (): void => {
  // oxlint-disable-next-line no-throw-literal -- whatever is thrown arrives
  throw "a text"
}

export const fails = (number: number) => Effect.fail(new Odd({ number }))

export const dies = () => Effect.die(new Error("dead"))

export const givesFunction = (): unknown => () => 1

export const size = (bytes: Uint8Array): number => bytes.byteLength

/** The same memory, with one byte changed. */
export function stamped(this: ThreadJob, bytes: Uint8Array<ArrayBuffer>) {
  bytes[0] = 7
  return this.transfer(bytes, [bytes.buffer])
}

export function transfersNonsense(this: ThreadJob) {
  return this.transfer(1, [{}])
}

export function counts(this: ThreadJob<number>, count: number): string {
  for (let i = 1; i <= count; i++) this.progress(i)
  return "counted"
}
