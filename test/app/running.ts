/** What the tests of ready-made services share: one that runs, with its phases, restarts and stop. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Service from "../../src/app/Service.ts"
import type { Piece } from "../../src/app/ServiceBody.ts"
import { type Ending, ServiceInstance } from "../../src/app/ServiceInstance.ts"

export interface Running {
  /** What it provides; empty for what provides nothing. */
  readonly provided: () => Context.Context<never>
  readonly ready: Effect.Effect<boolean>
  /** How it ended by itself. */
  readonly ended: Effect.Effect<unknown, unknown>
  readonly reload: Effect.Effect<void, unknown>
  readonly restart: Effect.Effect<void, unknown>
  readonly stop: Effect.Effect<void>
}

/** The phases of a service in the hands of a test: no policy starts it again. It is stopped with the scope. */
export const run = (service: Service.Any): Effect.Effect<Running, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    if (service.body._tag === "Group") return yield* runAll(service.body.services)
    const piece = service.body
    const platform = Context.omit(Scope.Scope)(yield* Effect.context<never>())
    const outer = yield* Scope.make()
    let ending = yield* Deferred.make<Ending>()
    const known = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      effect.pipe(
        Effect.provideService(ServiceInstance, {
          path: service.name,
          ending: Effect.suspend(() => Deferred.await(ending)),
          node: undefined
        }),
        Effect.provideContext(platform)
      )
    const bound = yield* (piece.privileged ?? Effect.void).pipe(known, Scope.provide(outer))
    let inner = yield* Scope.make()
    let started: unknown
    let running: Fiber.Fiber<unknown, unknown>
    const start = Effect.gen(function* () {
      inner = yield* Scope.make()
      started = yield* (piece.start?.(bound) ?? Effect.succeed(bound)).pipe(known, Scope.provide(inner))
      running = yield* Effect.forkDetach(
        (piece.run?.(started) ?? Effect.never).pipe(known, Scope.provide(inner)),
        {
          startImmediately: true
        }
      )
    })
    const endBy = (why: Ending) =>
      Effect.gen(function* () {
        yield* Deferred.succeed(ending, why)
        yield* Fiber.interrupt(running)
        yield* known(Scope.close(inner, Exit.void))
      })
    yield* start
    const restart = Effect.gen(function* () {
      yield* endBy("Restart")
      ending = yield* Deferred.make<Ending>()
      yield* start
    })
    const stop = Effect.andThen(endBy("Stop"), known(Scope.close(outer, Exit.void)))
    yield* Effect.addFinalizer(() => stop)
    return {
      provided: () => piece.provides?.(started) ?? Context.empty(),
      ready: Effect.suspend(() => isReady(piece, started)),
      ended: Effect.suspend(() => Fiber.join(running)),
      reload: Effect.suspend(() => Effect.asVoid(piece.reload?.(started) ?? Effect.void)),
      restart,
      stop
    }
  })

const isReady = ({ ready }: Piece, started: unknown): Effect.Effect<boolean> =>
  ready === undefined
    ? Effect.succeed(true)
    : ready.check(started).pipe(
        Effect.map((answer) => answer !== false),
        Effect.orElseSucceed(() => false)
      )

const runAll = (services: ReadonlyArray<Service.Any>): Effect.Effect<Running, unknown, Scope.Scope> =>
  Effect.map(Effect.forEach(services, run), (all) => ({
    provided: () => Context.mergeAll(...all.map((one) => one.provided())),
    ready: Effect.map(Effect.all(all.map((one) => one.ready)), (answers) => answers.every(Boolean)),
    ended: Effect.raceAllFirst(all.map((one) => one.ended)),
    reload: Effect.forEach(all, (one) => one.reload, { discard: true }),
    restart: Effect.forEach(all, (one) => one.restart, { discard: true }),
    stop: Effect.forEach([...all].reverse(), (one) => one.stop, { discard: true })
  }))
