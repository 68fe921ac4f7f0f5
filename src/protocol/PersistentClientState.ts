import type * as Cause from "effect/Cause"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type { PersistentClientError } from "./PersistentClientError.ts"

/** Why there is no connection: it was not made, could not be prepared (`E`), or was lost. */
export type Failure<E> = ConnectError | PersistentClientError | E

/** An attempt is under way. */
export interface Connecting {
  readonly _tag: "Connecting"
  /** 1 for the first, and for the first after a connection that counts as a success. */
  readonly attempt: number
}

export interface Connected<out A> {
  readonly _tag: "Connected"
  readonly client: A
  /** Milliseconds since the epoch, by the `Clock`. */
  readonly since: number
}

/** The next attempt comes later. */
export interface Waiting<out E> {
  readonly _tag: "Waiting"
  /** Milliseconds since the epoch, by the `Clock`; `Infinity` where only `retryNow` ends the waiting. */
  readonly until: number
  readonly failure: Cause.Cause<Failure<E>>
  /** The number of the attempt that comes then. */
  readonly attempt: number
}

/** There will be no connection any more; the last one may still be closing. */
export interface Stopped<out E> {
  readonly _tag: "Stopped"
  /** What it gave up after; `undefined` when its scope ended. */
  readonly failure: Cause.Cause<Failure<E>> | undefined
}

export type State<A, E> = Connecting | Connected<A> | Waiting<E> | Stopped<E>
