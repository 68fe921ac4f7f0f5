/** One life of a service, from a start to the stop after it; and its first phase, which may outlive several. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Ending } from "./ServiceInstance.ts"

/** What the first phase has acquired. */
export class Binding {
  readonly scope = Scope.makeUnsafe()
  readonly ending = Deferred.makeUnsafe<Ending>()
  value: unknown = undefined
}

/** What the second phase has acquired, and what runs in it. */
export class Life {
  readonly scope = Scope.makeUnsafe()
  readonly ending = Deferred.makeUnsafe<Ending>()
  /** Between the end of its start and the beginning of its end. */
  up = false
  /** It has ended, or failed, by itself; that will be seen to. */
  fallen = false
  /** Somebody is ending it, or has. */
  ended = false
  /** Its failure was told. */
  told = false
  /** What `start` gave. */
  started: unknown = undefined
  provided: Context.Context<never> = Context.empty()
  run: Fiber.Fiber<unknown, unknown> | undefined
  /** What asks it how it is. */
  readonly watchers = new Set<Fiber.Fiber<unknown, unknown>>()
}

/** It is tried again when the timer has slept. */
export interface Retry {
  readonly until: number
  /** Undefined while what is to be restarted is still on its way to a stop. */
  timer: Fiber.Fiber<unknown, unknown> | undefined
}
