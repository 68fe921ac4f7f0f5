/**
 * A world of its own: hosts, a network between them, and time. Everything that could be one way or another is drawn from one
 * seed, so that a run is a function of its seed and program: equal seeds, equal histories.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Host } from "./Host.ts"
import type { Provided } from "./Inside.ts"
import * as Life from "./Life.ts"
import { type Options, type Run, Running } from "./Running.ts"
import type { Crashed } from "./SimError.ts"

export type { Host } from "./Host.ts"
export type { Provided } from "./Inside.ts"
export type { Check, Ingredients, Options, Overrides, Run } from "./Running.ts"

/** The world a program runs in. */
export class World extends Context.Service<World, Running>()("spindle/sim/World") {}

export interface HostOptions {
  /** Whether its program may fail without ending the run. Default `false`. */
  readonly mayFail?: boolean | undefined
}

/** Runs the program to its end, within this call: without an event loop, as fast as it goes. */
export const run = <A, E>(program: Effect.Effect<A, E, World | Provided>, options: Options): Run<A, E> => {
  const running = new Running(options)
  return running.run(Effect.provideService(program, World, running))
}

/**
 * Makes a host and starts its program there, with a reactor, timers, disk, clock and scheduler of its own. Names and addresses
 * come from the option `hosts`; a name that is not there gets the next address from 10.0.0.1 on. It ends with the run.
 */
export const host = <A, E, R>(
  name: string,
  program: Effect.Effect<A, E, R>,
  options: HostOptions = {}
): Effect.Effect<Host<A, E>, never, World | Exclude<R, Provided>> =>
  Effect.gen(function* () {
    const world = yield* World
    const context = yield* Effect.context<Exclude<R, Provided>>()
    const own = Effect.updateContext(
      program,
      (provided: Context.Context<Provided>) => Context.merge(context, provided) as Context.Context<R>
    )
    const host = world.add(name, own, options.mayFail ?? false)
    yield* host.start
    return host
  })

/** Runs an effect on a host, beside its program, and gives what that gives. */
export const at = <A, E, R>(
  name: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Crashed, World | Exclude<R, Provided>> =>
  Effect.gen(function* () {
    const { network } = yield* World
    const life = yield* Life.begin(network, network.node(name), self)
    return yield* Effect.onInterrupt(Deferred.await(life.exit), () => life.stop)
  })

/**
 * A whole number that is the seed's choice: how many hosts, clients, operations, ... `Shrink` tries smaller ones where a run
 * fails. The name is the dial's own.
 */
export const dial = (
  name: string,
  range: { readonly min: number; readonly max: number }
): Effect.Effect<number, never, World> => Effect.map(World, (world) => world.dial(name, range.min, range.max))

/** Writes into the history; without a host it is the world's. */
export const note = (text: string, host?: string): Effect.Effect<void, never, World> =>
  Effect.map(World, ({ history, network }) => {
    const { machine } = network.node(host ?? network.main)
    history.record("Note", machine, machine, undefined, 0, text)
  })

/** The hosts that were made, in their order. */
export const hosts: Effect.Effect<ReadonlyMap<string, Host>, never, World> = Effect.map(
  World,
  ({ hosts }) => hosts
)
