/** Commands that were given and are not answered yet, in the order of their answers. */
import type * as Effect from "effect/Effect"
import type { Command } from "./MemcacheCommand.ts"
import type { MemcacheError } from "./MemcacheError.ts"
import type { Reply } from "./MemcacheReplyWire.ts"

export type Answer = Effect.Effect<ReadonlyArray<Reply>, MemcacheError>

export class Pending {
  readonly command: Command
  readonly replies: Array<Reply> = []
  /** What comes may be about a command before it, which wanted no answer. */
  isAmbiguous = false
  /** The tick in which it was sent. */
  tick = 0
  private resume: ((answer: Answer) => void) | undefined

  constructor(command: Command, resume?: (answer: Answer) => void) {
    this.command = command
    this.resume = resume
  }

  /** Goes on with this; only once. */
  settle(answer: Answer): void {
    const { resume } = this
    this.resume = undefined
    resume?.(answer)
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.resume = undefined
  }
}

/** First in, first out. Who has left is let go at once: kept for a while, all of them would outlive a young collection. */
export class PendingQueue {
  private all: Array<Pending | undefined> = []
  private first = 0

  get length(): number {
    return this.all.length - this.first
  }

  get oldest(): Pending | undefined {
    return this.all[this.first]
  }

  push(pending: Pending): void {
    this.all.push(pending)
  }

  shift(): void {
    this.all[this.first++] = undefined
    if (this.first < 32 || this.first * 2 < this.all.length) return
    this.all = this.all.slice(this.first)
    this.first = 0
  }

  takeAll(): ReadonlyArray<Pending> {
    const all = this.all.slice(this.first) as Array<Pending>
    this.all = []
    this.first = 0
    return all
  }
}
