/** How many workers, what each is, and how patient whoever keeps them. */
import * as Duration from "effect/Duration"
import type { NodeHeir } from "./NodeHeir.ts"
import type { Command, Module } from "./NodeHeirLine.ts"
import type { Sharing } from "./NodeListenerKeeper.ts"
import type { Limits } from "./NodeWorkerSlot.ts"

export interface CommonOptions {
  /** How many. */
  readonly count: number
  /** This process, if it has itself come in place of another one: their sockets then come from there. */
  readonly heir?: NodeHeir | undefined
  /** How long one may take until all of it is up. Default 90 seconds. */
  readonly readyTimeout?: Duration.Input | undefined
  /** How long one may take to end what it has open; then it is killed. Default 30 seconds. */
  readonly drainTimeout?: Duration.Input | undefined
  /** Of that, how long handshakes under way may take. Default 5 seconds. */
  readonly settleTimeout?: Duration.Input | undefined
  /** Before one that ended is started again: the first time, then twice as long each time, up to a most. Default 0.1 and 30 seconds. */
  readonly backoff?: { readonly first: Duration.Input; readonly most: Duration.Input } | undefined
  /** Having served for so long, it begins with the first delay again. Default 10 seconds. */
  readonly backoffResetAfter?: Duration.Input | undefined
  /** More ends than these in this time, of all together, and they have failed. Default 5 for each worker in 30 seconds. */
  readonly intensity?: { readonly restarts: number; readonly period: Duration.Input } | undefined
}

export interface Options extends CommonOptions {
  /**
   * What each runs. Default: this process's own command, environment and output; in sessions of their own (`detached`), so that a
   * terminal's signals come to this process alone.
   */
  readonly command?: Command | undefined
  /** `auto`: a socket for each worker, where the system spreads connections over them (SO_REUSEPORT). `one`: the same for all. Default `auto`. */
  readonly sharing?: Sharing | undefined
}

export interface ThreadsOptions extends CommonOptions, Module {}

export const limitsOf = (options: CommonOptions): Limits => ({
  readyTimeout: options.readyTimeout ?? "90 seconds",
  drainTimeout: options.drainTimeout ?? "30 seconds",
  settleMillis: Duration.toMillis(options.settleTimeout ?? "5 seconds"),
  backoffFirstMillis: Duration.toMillis(options.backoff?.first ?? "100 millis"),
  backoffMaxMillis: Duration.toMillis(options.backoff?.most ?? "30 seconds"),
  backoffResetAfterMillis: Duration.toMillis(options.backoffResetAfter ?? "10 seconds")
})
