import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/** What is done with a connection now. */
export type Use = "Idle" | "Checking" | "InUse" | "Closing"

/** One connection of a pool. */
export class Member<out A> {
  readonly client: A
  readonly scope: Scope.Closeable
  /** Ends when the connection is gone. */
  readonly watch: Fiber.Fiber<unknown, unknown>
  /** Milliseconds since the epoch, as below. */
  readonly madeAt: number
  usedAt: number
  use: Use = "Idle"

  constructor(client: A, scope: Scope.Closeable, watch: Fiber.Fiber<unknown, unknown>, now: number) {
    this.client = client
    this.scope = scope
    this.watch = watch
    this.madeAt = now
    this.usedAt = now
  }

  get isGone(): boolean {
    return this.watch.pollUnsafe() !== undefined
  }
}

/** What a pool has now. */
export interface Counts {
  /** Connections that stand: `idle`, `inUse`, and those being checked for somebody who waits. */
  readonly open: number
  readonly idle: number
  readonly inUse: number
  /** Attempts under way. */
  readonly connecting: number
  /** Those who wait for a connection. */
  readonly waiting: number
}

export const noCounts: Counts = { open: 0, idle: 0, inUse: 0, connecting: 0, waiting: 0 }
