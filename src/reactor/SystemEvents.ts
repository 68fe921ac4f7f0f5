/**
 * Startup and shutdown in three phases each, for parts that do not know of one another. Twisted:
 * `addSystemEventTrigger`, `callWhenRunning`, `fireSystemEvent`.
 *
 * - `before` triggers run side by side, and are awaited together before `during` begins.
 * - `during`, then `after` triggers run one by one, in the order they were added. Twisted starts these without
 *   waiting for what they return; here each is awaited, so that nothing outlives its phase.
 * - A trigger that fails is reported (`UnhandledFailure`) and the others still run.
 * - A trigger may itself `start` or `stop`: that is done when the event it belongs to is over, and not waited for.
 *
 * Unlike Twisted's reactor, it may start again after it has stopped.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as UnhandledFailure from "./UnhandledFailure.ts"

export type Event = "startup" | "shutdown"
export type Phase = "before" | "during" | "after"

export class SystemEvents extends Context.Service<
  SystemEvents,
  {
    /** Runs `trigger` whenever the event comes, until the scope ends. Its requirements are taken from here. */
    readonly add: <E, R>(
      phase: Phase,
      event: Event,
      trigger: Effect.Effect<unknown, E, R>
    ) => Effect.Effect<void, never, R | Scope.Scope>
    /** Runs `trigger` now, when started; else once, `after` the next startup. */
    readonly whenRunning: <E, R>(
      trigger: Effect.Effect<unknown, E, R>
    ) => Effect.Effect<void, never, R | Scope.Scope>
    /** Whether startup has got to `during`, and shutdown has not yet. */
    readonly running: Effect.Effect<boolean>
    /** Fires startup. Nothing when already running. */
    readonly start: Effect.Effect<void>
    /** Fires shutdown. Nothing when not running. */
    readonly stop: Effect.Effect<void>
  }
>()("spindle/reactor/SystemEvents") {}

interface Trigger {
  readonly phase: Phase
  readonly event: Event
  readonly run: Effect.Effect<void>
}

/** Set for triggers: the events that are firing them. */
const Firing: Context.Reference<object | undefined> = Context.Reference(
  "spindle/reactor/SystemEvents/Firing",
  {
    defaultValue: (): object | undefined => undefined
  }
)

export const make: Effect.Effect<SystemEvents["Service"]> = Effect.sync(() => {
  const triggers = new Set<Trigger>()
  const turnstile = Semaphore.makeUnsafe(1)
  let running = false
  let firing = false
  /** What triggers asked for meanwhile. */
  let wanted: Event | undefined

  const runnable = <E, R>(place: string, trigger: Effect.Effect<unknown, E, R>) =>
    Effect.map(Effect.context<R>(), (context) =>
      trigger.pipe(
        Effect.asVoid,
        Effect.catchCause((cause) => UnhandledFailure.report({ cause, place, peer: undefined })),
        Effect.provideService(Firing, turnstile),
        Effect.provideContext(context)
      )
    )

  const belongs = (trigger: Trigger, phase: Phase, event: Event) =>
    trigger.phase === phase && trigger.event === event

  const fire = Effect.fnUntraced(function* (event: Event) {
    const before = [...triggers].filter((trigger) => belongs(trigger, "before", event))
    yield* Effect.forEach(before, (trigger) => trigger.run, { concurrency: "unbounded", discard: true })
    running = event === "startup"
    for (const phase of ["during", "after"] as const) {
      // The live set: one that an earlier trigger took away does not run, one that it added does.
      for (const trigger of triggers) if (belongs(trigger, phase, event)) yield* trigger.run
    }
  })

  const fireAll = (event: Event): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (running === (event === "startup")) return Effect.void
      firing = true
      wanted = undefined
      return Effect.ensuring(
        fire(event),
        Effect.sync(() => {
          firing = false
        })
      ).pipe(Effect.andThen(Effect.suspend(() => (wanted === undefined ? Effect.void : fireAll(wanted)))))
    })

  const request = (event: Event): Effect.Effect<void> =>
    Effect.flatMap(Firing, (by) => {
      if (by !== turnstile || !firing) return turnstile.withPermits(1)(fireAll(event))
      wanted = event
      return Effect.void
    })

  const add = <E, R>(phase: Phase, event: Event, effect: Effect.Effect<unknown, E, R>) =>
    Effect.gen(function* () {
      const trigger: Trigger = { phase, event, run: yield* runnable(`a trigger ${phase} ${event}`, effect) }
      yield* Effect.acquireRelease(
        Effect.sync(() => triggers.add(trigger)),
        () => Effect.sync(() => triggers.delete(trigger))
      )
    })

  return SystemEvents.of({
    add,
    whenRunning: <E, R>(effect: Effect.Effect<unknown, E, R>) =>
      Effect.gen(function* () {
        const run = yield* runnable("a trigger for when the reactor runs", effect)
        if (running) return yield* run
        const once: Trigger = {
          phase: "after",
          event: "startup",
          run: Effect.suspend(() => {
            triggers.delete(once)
            return run
          })
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => triggers.add(once)),
          () => Effect.sync(() => triggers.delete(once))
        )
      }),
    running: Effect.sync(() => running),
    start: request("startup"),
    stop: request("shutdown")
  })
})

export const layer: Layer.Layer<SystemEvents> = Layer.effect(SystemEvents, make)

/** Startup, then `self`, then shutdown, however `self` ended. */
export const during = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | SystemEvents> =>
  Effect.flatMap(SystemEvents, (events) =>
    Effect.acquireUseRelease(
      events.start,
      () => self,
      () => events.stop
    )
  )
