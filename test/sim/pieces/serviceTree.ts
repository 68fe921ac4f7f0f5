/** A random tree of services, and hands that ask things of it, on a host that stands still, is slow, or has a bad clock. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { ServiceError, type ServiceNode, ServiceTree } from "../../../src/app/index.ts"
import * as UnhandledFailure from "../../../src/reactor/UnhandledFailure.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"
import { Actors } from "./actors.ts"

type Node = ServiceNode

const restless = new Set(["Starting", "Draining", "Restarting"])

const below = (node: Node): Effect.Effect<ReadonlyArray<Node>> =>
  Effect.flatMap(node.children, (children) =>
    Effect.map(Effect.forEach(children, below), (lists) => [node, ...lists.flat()])
  )

/** What somebody asks of the tree; whatever it is, it comes to an end. */
const ask = Effect.fnUntraced(function* (actors: Actors, tree: ServiceTree.ServiceTree) {
  const { seed } = actors
  const nodes = yield* below(tree.root)
  const node = seed.chance(0.1) ? tree.root : seed.pick(nodes)
  const siblings = (yield* node.children).map(({ name }) => name)
  const [name, asked] = seed.pick<readonly [string, Effect.Effect<unknown, unknown>]>([
    ["start", node.start],
    ["start", node.start],
    ["stop", node.stop],
    ["restart", node.restart],
    ["reload", node.reload],
    ["snapshot", node.snapshot],
    ["remove", Effect.suspend(() => node.parent?.remove(node.name) ?? Effect.void)],
    ["add", Effect.suspend(() => node.add(actors.another(siblings, seed.chance(0.2))))]
  ])
  // Some leave while what they ask for begins: an operation takes a microsecond.
  const isPatient = seed.chance(0.7)
  const micros = seed.chance(0.5) ? seed.between(0, 200) : seed.pick([1_000, 50_000, 500_000])
  const patience: Duration.Input = isPatient ? "1 hour" : `${micros} micros`
  const what = `${name} ${node.path}`
  yield* World.note(`${what} asked${isPatient ? "" : `, for ${micros} us`}`)
  const exit = yield* Effect.exit(Effect.timeoutOption(asked, patience))
  if (Exit.isSuccess(exit)) {
    actors.demand(!isPatient || exit.value._tag === "Some", `${what} does not end`)
  } else {
    actors.demand(
      exit.cause.reasons.every(({ _tag }) => _tag === "Fail"),
      `${what} dies: ${String(exit.cause)}`
    )
  }
  yield* World.note(`${what}: ${exit._tag}`)
})

/** What is neither on its way nor waits for its next try is as it says. */
const checkAtRest = Effect.fnUntraced(function* (actors: Actors, tree: ServiceTree.ServiceTree) {
  for (const node of yield* below(tree.root)) {
    const state = node.state.value
    actors.demand(!restless.has(state._tag), `${node.path} is still ${state._tag}`)
    const actor = actors.all.get(node.name)
    if (actor !== undefined) {
      const isOpen = actor.open === 1 && actor.code === 1
      actors.demand(
        isOpen === (state._tag === "Running"),
        `${node.path} is ${state._tag}: open ${actor.open}, code ${actor.code}`
      )
    }
    if (state._tag !== "Stopped" || state.waitingFor === undefined) continue
    const other = yield* Effect.exit(tree.find(state.waitingFor))
    const isThere = Exit.isSuccess(other) && other.value.state.value._tag === "Running"
    actors.demand(!isThere, `${node.path} waits for ${state.waitingFor}, which runs`)
  }
})

/** More supervised restarts than a group allows, while it ran all the time. */
class Intensity {
  private readonly restarts = new Map<string, Array<number>>()
  private readonly starts = new Map<string, Array<number>>()
  private readonly actors: Actors

  constructor(actors: Actors) {
    this.actors = actors
  }

  /** Of the group that it is in. */
  restarted(path: string, now: number): void {
    const group = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "/"
    const limit = this.actors.limits.get(group === "/" ? "app" : group.slice(group.lastIndexOf("/") + 1))
    const all = this.restarts.get(group) ?? []
    this.restarts.set(group, [...all, now])
    if (limit === undefined) return
    const earliest = [...all, now].at(-limit.restarts - 1)
    // A step takes its time on a slow host.
    if (earliest === undefined || now - earliest > limit.periodMillis - 200) return
    const isAnew = this.starts.get(group)?.some((at) => at >= earliest)
    this.actors.demand(isAnew === true, `${group}: more than ${limit.restarts} restarts`)
  }

  /** A group that starts begins to count anew. */
  watch({ path, state }: Node): Effect.Effect<void> {
    return Stream.runForEach(SubscriptionRef.changes(state), ({ _tag, since }) =>
      Effect.sync(() => {
        if (_tag === "Starting") this.starts.set(path, [...(this.starts.get(path) ?? []), since])
      })
    )
  }
}

const life = (
  actors: Actors,
  pieces: number,
  hands: number,
  asked: number,
  asking: Deferred.Deferred<void>
) =>
  Effect.gen(function* () {
    const { seed } = actors
    const clock = yield* Clock.Clock
    const intensity = new Intensity(actors)
    const logger = Logger.make(({ message }) => {
      const [path] = /^(\S+) is started again/.exec(String(message))?.slice(1) ?? []
      if (path !== undefined) intensity.restarted(path, clock.currentTimeMillisUnsafe())
    })
    actors.isCalm = seed.chance(0.8)
    const reporter = ({ cause }: UnhandledFailure.Report) =>
      Effect.sync(() => {
        const error = Cause.squash(cause)
        if (!(error instanceof ServiceError) || error.reason._tag !== "StopTimeout") return
        actors.leftBehind(error.path, clock.currentTimeMillisUnsafe())
      })
    const scope = yield* Scope.make()
    const started = yield* ServiceTree.start(actors.root(pieces)).pipe(
      Scope.provide(scope),
      Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
      Effect.provideService(UnhandledFailure.Reporter, reporter),
      Effect.exit
    )
    if (Exit.isSuccess(started)) {
      const tree = started.value
      const groups = (yield* below(tree.root)).filter(({ name }) => actors.limits.has(name))
      const watched = yield* Effect.forkChild(
        Effect.forEach(groups, (node) => intensity.watch(node), { concurrency: "unbounded", discard: true }),
        { startImmediately: true }
      )
      actors.isCalm = false
      yield* Effect.forEach(
        Array.from({ length: hands }),
        () =>
          Effect.forEach(
            Array.from({ length: asked }),
            () => Effect.andThen(Effect.sleep(seed.pick([0, 1, 10, 500, 3_000])), ask(actors, tree)),
            { discard: true }
          ),
        { concurrency: "unbounded" }
      )
      yield* Effect.sleep(seed.between(0, 5_000))
      Deferred.doneUnsafe(asking, Exit.void)
      if (seed.chance(0.7)) {
        // Whatever was under way comes to an end.
        actors.isCalm = true
        yield* World.note("all is calm")
        yield* Effect.sleep("2 minutes")
        yield* checkAtRest(actors, tree)
        yield* allAnew(actors, tree)
      }
      yield* Fiber.interrupt(watched)
    } else {
      Deferred.doneUnsafe(asking, Exit.void)
      actors.demand(
        started.cause.reasons.every(({ _tag }) => _tag === "Fail"),
        `the start dies: ${String(started.cause)}`
      )
    }
    const closing = yield* Effect.timeoutOption(Scope.close(scope, Exit.void), "1 hour")
    actors.demand(closing._tag === "Some", "the tree does not end")
    // What was left behind ends, too.
    actors.isCalm = true
    yield* Effect.sleep("1 minute")
    for (const { bound, code, name, open } of actors.all.values()) {
      actors.demand(open + bound + code === 0, `${name} is left: open ${open}, bound ${bound}, code ${code}`)
    }
    return actors.starts
  })

/** By hand all is started again; and stops in reverse. */
const allAnew = Effect.fnUntraced(function* (actors: Actors, tree: ServiceTree.ServiceTree) {
  yield* tree.stop
  actors.opened = []
  const exit = yield* Effect.exit(Effect.timeoutOption(tree.root.start, "1 hour"))
  actors.demand(
    Exit.isSuccess(exit) && exit.value._tag === "Some",
    `it does not start again: ${String(exit)}`
  )
  for (const node of yield* below(tree.root)) {
    const { _tag } = node.state.value
    actors.demand(_tag === "Running", `${node.path} is ${_tag}, when all was started`)
  }
  // Its `run` has been forked then, and may not have begun.
  yield* Effect.sleep("1 milli")
  yield* checkAtRest(actors, tree)
  actors.closed = []
  yield* tree.stop
  const [opened, closed] = [actors.opened.join(" "), [...actors.closed].reverse().join(" ")]
  actors.demand(opened === closed, `started ${opened}, stopped in reverse of ${closed}`)
})

/** How many services were started. */
export const serviceTree = Effect.gen(function* () {
  const world = yield* World.World
  const actors = new Actors(world.engine.seed.fork("tree"), (text) => {
    const { machine } = world.network.node("app")
    world.history.record("Note", machine, machine, undefined, 0, text)
  })
  const pieces = yield* World.dial("pieces", { min: 1, max: 12 })
  const hands = yield* World.dial("hands", { min: 1, max: 4 })
  const asked = yield* World.dial("asked", { min: 1, max: 12 })
  yield* Invariant.always("a tree keeps its promises", () => actors.broken ?? true)
  const before = world.engine.fibers.size
  const asking = yield* Deferred.make<void>()
  const app = yield* Effect.forkChild(World.at("app", life(actors, pieces, hands, asked, asking)))
  yield* Effect.scoped(
    Effect.andThen(
      Swarm.swarm({ hosts: ["app"], kinds: ["stop", "slow", "drift"] }),
      Effect.raceFirst(Deferred.await(asking), Fiber.await(app))
    )
  )
  const starts = yield* Fiber.join(app)
  yield* Effect.sleep("1 second")
  const left = world.engine.fibers.size - before
  if (left > 0) return yield* Effect.die(`${left} fibers are left`)
  return starts
}).pipe(Effect.scoped)
