/** A random tree of services that watch over what a tree promises, and are up to no good. */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import { Service, ServiceGroup, type ServiceTree } from "../../src/app/index.ts"

/** mulberry32: numbers from 0 to 1. */
export const randomOf = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

interface Actor {
  readonly name: string
  /** What has to run while it does: what it is after, and the providers that come before it, wherever these are. */
  readonly needs: ReadonlyArray<string>
  /** Scopes of its second phase, and of its first, that are open. */
  open: number
  bound: number
  end: Deferred.Deferred<void, Error> | undefined
}

const durations = [0, 0, 0, 1, 10, 100, 1000]

export class World {
  readonly actors = new Map<string, Actor>()
  readonly broken: Array<string> = []
  readonly history: Array<string> = []
  /** Starts, and binds, fail no more, and take no time. */
  isPeaceful = false
  starts = 0
  stops = 0
  readonly random: () => number
  private made = 0

  constructor(seed: number) {
    this.random = randomOf(seed)
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  pick<A>(list: ReadonlyArray<A>): A {
    return list[Math.floor(this.random() * list.length)]!
  }

  private demand(isGood: boolean, what: string): void {
    this.history.push(what)
    if (!isGood) this.broken.push(`${what}, at line ${this.history.length}`)
  }

  // --- services -------------------------------------------------------------------------------------------

  /** `providers`: those that come before it. What is added to them is in it. */
  group(name: string, depth: number, providers: Array<string> = []): Service.Service<never, unknown> {
    const services: Array<Service.Service<never, unknown>> = []
    const count = 1 + Math.floor(this.random() * 4)
    for (let i = 0; i < count; i++) {
      const siblings = services.map(({ name }) => name)
      const child =
        depth > 0 && this.chance(0.3)
          ? this.group(this.newName("g"), depth - 1, providers)
          : this.piece(siblings, providers)
      services.push(child)
    }
    // As listed is not as started.
    if (this.chance(0.5) && !services.some(({ provides }) => provides)) services.reverse()
    return ServiceGroup.make(name, services, {
      strategy: this.pick(["one-for-one", "rest-for-one", "one-for-all"]),
      intensity:
        name === "app" ? { restarts: 1000, period: "1 second" } : { restarts: 2, period: "5 seconds" },
      ...this.policy()
    })
  }

  piece(siblings: ReadonlyArray<string>, providers: Array<string> = []): Service.Service<never, unknown> {
    const after = siblings.filter(() => this.chance(0.3))
    const name = this.newName("s")
    const actor: Actor = { name, needs: [...after, ...providers], open: 0, bound: 0, end: undefined }
    const isProvider = this.chance(0.15)
    if (isProvider) providers.push(name)
    this.actors.set(name, actor)
    const stubborn = this.chance(0.15)
    return Service.make({
      name,
      after,
      ...this.policy(),
      startTimeout: "2 seconds",
      stopTimeout: "5 seconds",
      privileged: Effect.acquireRelease(
        this.trouble(0.03).pipe(
          Effect.andThen(Effect.sync(() => this.demand(++actor.bound === 1, `bind ${name}`)))
        ),
        () => Effect.sync(() => this.demand(--actor.bound === 0, `release ${name}`)),
        { interruptible: true }
      ),
      start: () =>
        Effect.gen({ self: this }, function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => this.opened(actor)),
            () =>
              Effect.andThen(
                this.pause(stubborn ? 1000 : 10),
                Effect.sync(() => this.closed(actor))
              )
          )
          yield* this.trouble(0.1)
          actor.end = Deferred.makeUnsafe()
        }),
      run: () => Effect.suspend(() => Deferred.await(actor.end!)),
      ...(isProvider ? { provides: () => Context.empty() } : {}),
      ...(this.chance(0.3) ? { ready: () => this.trouble(0.2) } : {}),
      ...(this.chance(0.2) ? { live: () => this.trouble(0.02) } : {})
    }) as Service.Service<never, unknown>
  }

  private newName(prefix: string): string {
    return `${prefix}${++this.made}`
  }

  private policy() {
    return {
      restart: this.pick<Service.Restart>(["permanent", "transient", "transient", "temporary"]),
      backoff: this.chance(0.1)
        ? Schedule.recurs(2)
        : Schedule.spaced(this.pick(["10 millis", "1 second", "3 seconds"] as const))
    }
  }

  private opened(actor: Actor): void {
    this.starts++
    this.demand(++actor.open === 1 && actor.bound === 1, `start ${actor.name}`)
    for (const needed of actor.needs) {
      const other = this.actors.get(needed)
      if (other !== undefined) this.demand(other.open === 1, `${actor.name} needs ${needed}`)
    }
  }

  private closed(actor: Actor): void {
    this.stops++
    this.demand(--actor.open === 0, `stop ${actor.name}`)
    for (const other of this.actors.values()) {
      if (other.needs.includes(actor.name))
        this.demand(other.open === 0, `${other.name} outlives ${actor.name}`)
    }
  }

  private pause(most: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const millis = this.isPeaceful ? 0 : Math.min(most, this.pick(durations))
      return millis === 0 ? Effect.void : Effect.sleep(millis)
    })
  }

  /** Some time, and now and then a failure, a defect, or no end. */
  private trouble(probability: number): Effect.Effect<void, Error> {
    return Effect.suspend(() => {
      if (this.isPeaceful) return Effect.void
      if (!this.chance(probability)) return this.pause(1000)
      return this.pick([Effect.fail(new Error("trouble")), Effect.die("a defect"), Effect.never])
    })
  }

  // --- what happens to them ---------------------------------------------------------------------------------

  /** Something is asked of the tree, or happens in it. Refusals are fine. */
  happening(tree: ServiceTree.ServiceTree): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const nodes = yield* all(tree)
      const node = this.chance(0.05)
        ? tree.root
        : this.pick(nodes.slice(1).concat(nodes.length > 1 ? [] : nodes))
      const kind = this.random()
      const actor = this.actors.get(node.name)
      if (kind < 0.35 && actor?.end !== undefined) {
        this.history.push(`${node.name} ends`)
        if (this.chance(0.3)) Deferred.doneUnsafe(actor.end, Exit.void)
        else Deferred.doneUnsafe(actor.end, Exit.fail(new Error("it broke")))
        return
      }
      const asked = yield* this.request(node, kind)
      const patience = this.chance(0.2) ? Effect.timeoutOption(asked, this.pick([0, 1, 50, 500])) : asked
      yield* Effect.forkDetach(Effect.ignoreCause(patience), { startImmediately: true })
    })
  }

  private request(node: Awaited<Node>, kind: number): Effect.Effect<Effect.Effect<unknown, unknown>> {
    const what =
      kind < 0.5 ? "start" : kind < 0.65 ? "stop" : kind < 0.8 ? "restart" : kind < 0.93 ? "add" : "remove"
    this.history.push(`${what} ${node.path} asked`)
    if (what === "add") {
      return Effect.map(node.children, (children) =>
        node.add(
          this.chance(0.2) ? this.group(this.newName("g"), 0) : this.piece(children.map(({ name }) => name))
        )
      )
    }
    if (what === "remove") return Effect.succeed(node.parent?.remove(node.name) ?? Effect.void)
    return Effect.succeed(node[what])
  }

  readonly passing: Effect.Effect<number> = Effect.map(Clock.currentTimeMillis, (now) => {
    const millis = this.pick([0, 0, 1, 10, 100, 1000, 3000])
    this.history.push(`--- ${now} + ${millis}`)
    return millis
  })
}

type Node = ReturnType<typeof all> extends Effect.Effect<ReadonlyArray<infer N>> ? N : never

/** Every node of the tree. */
export const all = (tree: ServiceTree.ServiceTree) => {
  const below = (
    node: ServiceTree.ServiceTree["root"]
  ): Effect.Effect<Array<ServiceTree.ServiceTree["root"]>> =>
    Effect.flatMap(node.children, (children) =>
      Effect.map(Effect.forEach(children, below), (lists) => [node, ...lists.flat()])
    )
  return below(tree.root)
}
