/**
 * Faults drawn from the seed. Not all kinds each time: a run that has a few of them, often, finds what a run that has all of
 * them hides (Groce et al., "Swarm Testing", 2012). When the scope ends all is healed: what must come true in the end can.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { CrashMode } from "./Disk.ts"
import * as Fault from "./Fault.ts"
import * as Nanos from "./Nanos.ts"
import type { Seed } from "./Seed.ts"
import { drawing, type Spread } from "./Spread.ts"
import { World } from "./World.ts"

const kinds = [
  "partition",
  "oneWay",
  "isolate",
  "degrade",
  "reset",
  "crash",
  "stop",
  "slow",
  "drift",
  "setClock",
  "disk"
] as const

export type Kind = (typeof kinds)[number]

export interface SwarmOptions {
  /** Who may be hit. Default: all hosts that have a program of their own, as they are when it begins. */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** What may happen; each run has about half of it. Default: everything. */
  readonly kinds?: ReadonlyArray<Kind> | undefined
  /** Time between two faults, on average. Default 2 seconds. */
  readonly every?: Duration.Input | undefined
  /** How long a fault lasts. Default: at least 50 ms, 1.5 seconds on average. */
  readonly lasting?: Spread | undefined
  /** Hosts that may be down at the same time. Default: a minority, at least one. */
  readonly downMax?: number | undefined
  /** What crashes do to disks. Default: any. */
  readonly disk?: CrashMode | undefined
}

/** Hosts fail while the scope is open. */
export const swarm = (options: SwarmOptions = {}): Effect.Effect<void, never, World | Scope.Scope> =>
  Effect.gen(function* () {
    const world = yield* World
    const { every = "2 seconds", kinds: possible = kinds, lasting = lastingDefault } = options
    const hosts = options.hosts ?? [...world.hosts.keys()]
    const { downMax = Math.max(1, Math.floor((hosts.length - 1) / 2)) } = options
    const seed = world.engine.seed.fork("swarm")
    const chosen = possible.filter(() => seed.chance(0.5))
    const own = chosen.length === 0 ? [seed.pick(possible)] : chosen
    const time = drawing(lasting)
    const context: Context = { hosts, disk: options.disk, room: downMax }
    const one = (number: number) => {
      // Of its own chance: whether others happen changes nothing here.
      const chance = seed.fork(number)
      const fault = draw(chance.pick(own), chance, context)
      const nanos = time(chance)
      return world.happens(number) ? Fault.during(Nanos.duration(nanos), fault) : Effect.void
    }
    yield* Effect.acquireRelease(
      Effect.forkDetach(
        Effect.scoped(
          Effect.gen(function* () {
            for (let number = 0; hosts.length > 0; number++) {
              yield* Effect.sleep(Nanos.duration(seed.exponential(Nanos.of(every))))
              yield* Effect.forkScoped(one(number))
            }
          })
        )
      ),
      (fiber) => Effect.andThen(Fiber.interrupt(fiber), Fault.heal)
    )
  })

const lastingDefault: Spread = { min: "50 millis", mean: "1500 millis" }

interface Context {
  readonly hosts: ReadonlyArray<string>
  readonly disk: CrashMode | undefined
  /** Hosts that may still go down. */
  room: number
}

const draw = (kind: Kind, seed: Seed, context: Context): Fault.Lasting => {
  const { hosts } = context
  const host = seed.pick(hosts)
  const [one, other] = split(hosts, seed)
  switch (kind) {
    case "partition":
      return Fault.partition(one, other)
    case "oneWay":
      return Fault.partitionOneWay(one, other)
    case "isolate":
      return Fault.isolate(host)
    case "degrade":
      return Fault.degrade(one, other, {
        loss: seed.unit() * 0.3,
        duplication: seed.unit() * 0.3,
        reordering: seed.unit() * 0.3,
        latency: { min: "1 millis", mean: Duration.millis(seed.between(2, 200)) }
      })
    case "reset":
      return Fault.reset(
        host,
        hosts.filter((name) => name !== host)
      )
    case "crash":
      return crashing(host, context.disk ?? seed.pick(["keep", "lose", "tear"]), context)
    case "stop":
      return Fault.stop(host)
    case "slow":
      return Fault.slow(host, Duration.micros(BigInt(seed.between(10, 5_000))))
    case "drift":
      return Fault.drift(host, seed.between(-200_000, 200_000))
    case "setClock":
      return Fault.setClock(host, seed.between(-60_000, 60_000))
    case "disk":
      return Fault.disk(host, {
        readErrors: seed.unit() * 0.2,
        writeErrors: seed.unit() * 0.2,
        syncErrors: seed.unit() * 0.2
      })
  }
}

/** Not too many at the same time, and none twice. */
const crashing = (host: string, disk: CrashMode, context: Context): Fault.Lasting =>
  Effect.flatMap(World, ({ network }) => {
    if (context.room === 0 || network.node(host).isDown) return Effect.void
    return Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => {
          context.room--
        }),
        () =>
          Effect.sync(() => {
            context.room++
          })
      ),
      Fault.down(host, disk)
    )
  })

/** Two groups, neither of them empty if that can be. */
const split = (
  hosts: ReadonlyArray<string>,
  seed: Seed
): readonly [ReadonlyArray<string>, ReadonlyArray<string>] => {
  const one = new Set([seed.pick(hosts), ...hosts.filter(() => seed.chance(0.4))])
  if (one.size === hosts.length) one.delete(hosts.find((name) => one.has(name))!)
  return [[...one], hosts.filter((name) => !one.has(name))]
}
