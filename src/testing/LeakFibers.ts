/**
 * Fibers, and scopes that fibers were given, seen being made. Effect has no list of them; what all fibers do, when they
 * are made too, is `setContext`. So that is where this stands.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { Machine } from "../sim/Machine.ts"
import * as LeakNote from "./LeakNote.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

export interface HeldFiber {
  readonly fiber: AnyFiber
  readonly note: LeakNote.Note
}

export interface HeldScope {
  readonly scope: Scope.Closeable
  readonly note: LeakNote.Note
}

let fibers: Array<HeldFiber> = []
let fibersSweepAt = 1000
const scopes = new Map<Scope.Closeable, LeakNote.Note>()
let scopesSweepAt = 1000
let lastScope: unknown

const sweepFibers = (): void => {
  fibers = fibers.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
  fibersSweepAt = 1000 + 2 * fibers.length
}

/** Empty ones hold nothing, but may come to. */
const sweepScopes = (): void => {
  for (const scope of scopes.keys()) if (scope.state._tag === "Closed") scopes.delete(scope)
  scopesSweepAt = 1000 + 2 * scopes.size
}

/** A simulated world ends with its run, and a host that has crashed in it leaves its fibers as they are. */
const isSimulated = (context: Context.Context<never>): boolean =>
  context.mapUnsafe.get(Scheduler.Scheduler.key) instanceof Machine

function setContextWatched(this: AnyFiber, context: Context.Context<never>): void {
  if (isSimulated(context)) return setContext.call(this, context)
  // It has none before it is made.
  if ((this.context as unknown) === undefined) {
    fibers.push({ fiber: this, note: LeakNote.take(true) })
    if (fibers.length > fibersSweepAt) sweepFibers()
  }
  const scope = context.mapUnsafe.get(Scope.Scope.key) as Scope.Closeable | undefined
  if (scope !== undefined && scope !== lastScope) {
    lastScope = scope
    if (!scopes.has(scope)) {
      scopes.set(scope, LeakNote.take(true))
      if (scopes.size > scopesSweepAt) sweepScopes()
    }
  }
  setContext.call(this, context)
}

let setContext: AnyFiber["setContext"]
let watching = false

/** From now on, for all fibers. Idempotent. */
export const watch = (): void => {
  if (watching) return
  watching = true
  const prototype = Object.getPrototypeOf(Effect.runFork(Effect.void)) as AnyFiber
  setContext = prototype.setContext
  prototype.setContext = setContextWatched
}

/** Fibers that go on. */
export const heldFibers = (): ReadonlyArray<HeldFiber> => {
  sweepFibers()
  return fibers
}

/** Scopes with something in them. */
export const heldScopes = (): ReadonlyArray<HeldScope> => {
  sweepScopes()
  return [...scopes].flatMap(([scope, note]) => (scope.state._tag === "Open" ? [{ scope, note }] : []))
}
