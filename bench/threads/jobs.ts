/** Jobs that give back what they are given. */
import type { ThreadJob } from "../../src/reactor/ThreadJob.ts"

export const same = (value: unknown): unknown => value

export function moved(this: ThreadJob, bytes: Uint8Array<ArrayBuffer>) {
  return this.transfer(bytes, [bytes.buffer])
}
