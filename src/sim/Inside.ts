/** An effect on a host: with its scheduler, clock, chance, reactor, timers and disk. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Path from "effect/Path"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as MemoryReactor from "../memory/MemoryReactor.ts"
import { Reactor } from "../reactor/Reactor.ts"
import * as Timers from "../reactor/Timers.ts"
import * as SimFileSystem from "./SimFileSystem.ts"
import type { SimNetwork } from "./SimNetwork.ts"
import type { SimNode } from "./SimNode.ts"

/** What the program of a host finds there. */
export type Provided = Reactor | Timers.Timers | FileSystem.FileSystem | Path.Path | Scope.Scope

/** Runs `self` as a part of this life of a host. */
export const inside = <A, E, R>(
  network: SimNetwork,
  node: SimNode,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Provided>> => {
  const { machine } = node
  const own = Context.make(Scheduler.Scheduler, machine).pipe(
    Context.add(Clock.Clock, machine.clock),
    Context.add(Random.Random, machine.seed),
    Context.add(Logger.CurrentLoggers, network.loggers(node)),
    // What was built elsewhere is not here.
    Context.add(Layer.CurrentMemoMap, Layer.makeMemoMapUnsafe())
  )
  const whole = Effect.gen(function* () {
    // The fiber was started by the scheduler of somebody else.
    yield* Effect.yieldNow
    const reactor = yield* MemoryReactor.makeOn(network.names, node.name)
    const timers = yield* Timers.make((_, ring) => alarm(node, ring))
    const path = yield* Path.Path
    const services = Context.make(Reactor, reactor).pipe(
      Context.add(Timers.Timers, timers),
      Context.add(FileSystem.FileSystem, SimFileSystem.make(node)),
      Context.add(Path.Path, path)
    )
    return yield* Effect.provideContext(self, services)
  })
  return whole.pipe(Effect.scoped, Effect.provide(Path.layer), Effect.provideContext(own)) as Effect.Effect<
    A,
    E,
    Exclude<R, Provided>
  >
}

/** The alarm of `Timers`, on the world's timeline. */
const alarm = ({ machine }: SimNode, ring: () => void): Timers.Alarm => {
  const { engine, hardware } = machine
  let cancel: (() => void) | undefined
  const now = () => hardware.elapsed / 1e6
  return {
    now,
    set: (deadline) => {
      cancel?.()
      cancel = undefined
      if (deadline === Number.POSITIVE_INFINITY) return
      const moment = machine.plan(hardware.worldNanos(Math.max(0, deadline - now())), ring)
      cancel = () => engine.cancel(moment)
    }
  }
}
