/**
 * What goes wrong in a world. A fault that lasts is a resource: it begins where it is acquired, and ends with its scope, or
 * with `heal`. Hosts are named; a group is a list of names. Each is written into the history.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CrashMode } from "./Disk.ts"
import type { DiskOptions } from "./DiskFaults.ts"
import type { Link, LinkOptions } from "./Link.ts"
import * as Nanos from "./Nanos.ts"
import type { Running } from "./Running.ts"
import type { SimNode } from "./SimNode.ts"
import { World } from "./World.ts"

/** A host, or several. */
export type Group = string | ReadonlyArray<string>

/** Something that lasts until its scope ends. */
export type Lasting = Effect.Effect<void, never, World | Scope.Scope>

/** Something that just happens. */
export type Sudden = Effect.Effect<void, never, World>

const namesOf = (group: Group): ReadonlyArray<string> => (typeof group === "string" ? [group] : group)

const show = (group: Group): string => namesOf(group).join(", ")

const tell = ({ history, network }: Running, host: string, what: string): void => {
  const { port } = network.node(host)
  history.record("Fault", port, port, undefined, 0, what)
}

/** `begin` gives what ends it. */
const lasting = (host: Group, what: string, begin: (world: Running) => () => void): Lasting =>
  Effect.flatMap(World, (world) => {
    const [name = world.network.main] = namesOf(host)
    return Effect.acquireRelease(
      Effect.sync(() => {
        tell(world, name, what)
        return begin(world)
      }),
      (end) =>
        Effect.sync(() => {
          end()
          tell(world, name, `${what}: over`)
        })
    )
  }).pipe(Effect.asVoid)

const sudden = (host: string, what: string, happen: (world: Running) => Effect.Effect<void> | void): Sudden =>
  Effect.flatMap(World, (world) => {
    tell(world, host, what)
    return happen(world) ?? Effect.void
  })

/** A fault for so long. */
export const during = <A, E, R>(
  duration: Duration.Input,
  fault: Effect.Effect<A, E, R>
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
  Effect.scoped(Effect.andThen(fault, Effect.sleep(duration)))

// --- the network ----------------------------------------------------------------------------------------

const nodesOf = ({ network }: Running, group: Group): ReadonlyArray<SimNode> =>
  namesOf(group).map((name) => network.node(name))

const ways = (world: Running, from: Group, to: Group): ReadonlyArray<Link> =>
  nodesOf(world, from).flatMap((one) =>
    nodesOf(world, to).flatMap((other) => (one === other ? [] : [world.network.way(one, other)]))
  )

const closed = (links: ReadonlyArray<Link>, how: "blocks" | "rejections"): (() => void) => {
  const token = {}
  for (const link of links) link[how].add(token)
  return () => {
    for (const link of links) link[how].delete(token)
  }
}

/** Nothing comes through between the groups; nobody is told. */
export const partition = (one: Group, other: Group): Lasting =>
  lasting(one, `partition of ${show(one)} | ${show(other)}`, (world) =>
    closed([...ways(world, one, other), ...ways(world, other, one)], "blocks")
  )

/** Nothing comes through one way; what is sent back does. */
export const partitionOneWay = (from: Group, to: Group): Lasting =>
  lasting(from, `partition of ${show(from)} -> ${show(to)}`, (world) =>
    closed(ways(world, from, to), "blocks")
  )

/** A host hears nobody else, and nobody hears it: those, too, that come later. */
export const isolate = (host: string): Lasting =>
  lasting(host, "isolated", ({ network }) => {
    const { isolations } = network.node(host)
    const token = {}
    isolations.add(token)
    return () => void isolations.delete(token)
  })

/** Whoever calls is told at once that there is no way. What is connected goes on. */
export const reject = (from: Group, to: Group): Lasting =>
  lasting(from, `no route to ${show(to)}`, (world) => closed(ways(world, from, to), "rejections"))

/** The ways between the groups are like that. */
export const degrade = (one: Group, other: Group, link: LinkOptions): Lasting =>
  lasting(one, `worse ways to ${show(other)}`, (world) => {
    const restores = [...ways(world, one, other), ...ways(world, other, one)].map((way) =>
      way.options.add(link)
    )
    return () => {
      for (const restore of restores) restore()
    }
  })

/** All connections between the groups are reset. */
export const reset = (one: string, other: Group): Sudden =>
  sudden(one, `connections with ${show(other)} reset`, (world) => {
    const others = nodesOf(world, other)
    for (const stream of world.network.node(one).streams)
      if (others.includes(stream.peerNode)) stream.breaks()
  })

/** A host gets no answers about names. */
export const withoutNames = (host: string): Lasting =>
  lasting(host, "names do not resolve", ({ network }) => {
    const node = network.node(host).host
    network.withoutNames.add(node)
    return () => void network.withoutNames.delete(node)
  })

// --- hosts ----------------------------------------------------------------------------------------------

/** Each task of a host takes up to so long. */
export const slow = (host: string, taskTime: Duration.Input): Lasting =>
  lasting(host, "slow", ({ network }) => network.node(host).pace.add({ taskNanos: Nanos.of(taskTime) }))

/** Nobody would be there to end it. */
const spare = (main: string, host: string): void => {
  if (host === main) throw new TypeError(`the world's program itself runs on "${host}": that host goes on`)
}

/** A host stands still, as a process that is stopped or a virtual machine that is moved; it notices nothing but the clock. */
export const stop = (host: string): Lasting =>
  lasting(host, "stopped", ({ network }) => {
    spare(network.main, host)
    network.node(host).stop()
    return () => network.node(host).goOn()
  })

/** Power fails; see `Host.crash`. */
export const crash = (host: string, disk: CrashMode = "tear"): Sudden =>
  sudden(host, `crash (disk: ${disk})`, ({ hosts, network }) => {
    spare(network.main, host)
    const known = hosts.get(host)
    return known?.crash(disk) ?? Effect.sync(() => network.node(host).crash(disk))
  })

/** Boots a host that is down, and begins its program. */
export const restart = (host: string): Sudden =>
  sudden(host, "restart", ({ hosts, network }) => {
    const node = network.node(host)
    return node.isDown ? (hosts.get(host)?.start ?? Effect.sync(() => node.boot())) : Effect.void
  })

/** A host is down, and boots again in the end. */
export const down = (host: string, disk: CrashMode = "tear"): Lasting =>
  Effect.asVoid(Effect.acquireRelease(crash(host, disk), () => restart(host)))

/** A host's clock runs so many parts of a million too fast; too slow if negative. */
export const drift = (host: string, partsPerMillion: number): Lasting =>
  lasting(host, `clock drifts by ${partsPerMillion} ppm`, ({ network }) => {
    const { hardware } = network.node(host).machine
    hardware.drift(hardware.driftPpm + partsPerMillion)
    return () => hardware.drift(hardware.driftPpm - partsPerMillion)
  })

/** A host's wall clock is set ahead, or back; what sleeps does not notice. */
export const setClock = (host: string, millis: number): Sudden =>
  sudden(host, `clock set by ${millis} ms`, ({ network }) => {
    network.node(host).machine.hardware.step(millis * Nanos.perMilli)
  })

/** A host's disk is like that. */
export const disk = (host: string, options: DiskOptions): Lasting =>
  lasting(host, `disk: ${Object.keys(options).join(", ")}`, ({ network }) =>
    network.node(host).diskOptions.add(options)
  )

/** Everything that lasts is over at once, and whoever is down boots; clocks stay as they are. */
export const heal: Sudden = Effect.flatMap(World, (world) => {
  const { hosts, network } = world
  tell(world, network.main, "heal")
  for (const link of network.allLinks) {
    link.blocks.clear()
    link.rejections.clear()
    link.options.clear()
  }
  for (const node of network.all) {
    node.isolations.clear()
    node.diskOptions.clear()
    node.goOn()
    node.pace.clear()
    if (!hosts.has(node.name)) node.boot()
  }
  return Effect.forEach([...hosts.values()], (host) => (host.isUp ? Effect.void : host.start), {
    discard: true
  })
})
