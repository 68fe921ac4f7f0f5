/** Services that watch over what a tree promises, and are up to no good: they fail, die, hang, end, and ask for things. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import {
  Service,
  ServiceError,
  ServiceGroup,
  ServiceInstance,
  type ServiceNode
} from "../../../src/app/index.ts"
import type { Seed } from "../../../src/sim/Seed.ts"

type AnyService = Service.Service<never, unknown>

class Actor {
  readonly name: string
  /** What is there while it runs: what it is after, the providers before it, and those of the groups it is in. */
  readonly needs: ReadonlyArray<string>
  /** In a group that does not wait for ever. */
  readonly hurried: boolean
  bound = 0
  open = 0
  /** Code of its own that runs: phases; and finalizers. */
  code = 0
  ending = 0
  closing = false
  node: ServiceNode | undefined = undefined
  /** It hangs longer than it is waited for, and may be left behind. */
  hung = false

  constructor(name: string, needs: ReadonlyArray<string>, hurried: boolean) {
    this.name = name
    this.needs = needs
    this.hurried = hurried
  }

  /** Whatever hung is over. */
  settle(): void {
    if (this.code === 0 && this.ending === 0 && this.open === 0) this.hung = false
  }

  get isExcused(): boolean {
    return this.hung || this.hurried
  }
}

interface Place {
  readonly depth: number
  /** Providers that come before; what is added to them is in it. */
  readonly providers: Array<string>
  /** What the groups around it need. */
  readonly around: ReadonlyArray<string>
  readonly hurried: boolean
  readonly isAdded: boolean
}

export interface GroupLimit {
  readonly restarts: number
  readonly periodMillis: number
}

export class Actors {
  readonly all = new Map<string, Actor>()
  readonly limits = new Map<string, GroupLimit>()
  /** The first promise that was broken. */
  broken: string | undefined = undefined
  /** Nothing fails any more, and nothing takes long. */
  isCalm = false
  /** Names, in the order in which their second phases began; and ended. */
  opened: Array<string> = []
  closed: Array<string> = []
  starts = 0
  readonly seed: Seed
  private readonly say: (text: string) => void
  private made = 0

  constructor(seed: Seed, say: (text: string) => void) {
    this.seed = seed
    this.say = say
  }

  demand(isGood: boolean, what: string): void {
    if (isGood) return
    this.say(`BROKEN: ${what}`)
    this.broken ??= what
  }

  // --- what a tree is made of -----------------------------------------------------------------------------

  root(pieces: number): AnyService {
    return this.group("app", pieces, { depth: 2, providers: [], around: [], hurried: false, isAdded: false })
  }

  private group(name: string, pieces: number, place: Place): AnyService {
    const { seed } = this
    const services: Array<AnyService> = []
    for (let left = pieces; left > 0;) {
      const siblings = services.map(({ name }) => name)
      const own = this.common(siblings)
      const around = [...place.around, ...own.after, ...place.providers]
      if (place.depth > 0 && seed.chance(0.3)) {
        const size = seed.between(1, left)
        left -= size
        const hurried = seed.chance(0.1)
        const inner = this.group(this.newName("g"), size, {
          depth: place.depth - 1,
          providers: place.providers,
          around,
          hurried: place.hurried || hurried,
          isAdded: place.isAdded
        })
        const timeouts = hurried ? ({ startTimeout: "3 seconds", stopTimeout: "3 seconds" } as const) : {}
        services.push(
          Service.fromBody({ ...inner, ...own, ...timeouts, name: inner.name }, inner.body, inner.provides)
        )
      } else {
        left--
        services.push(this.piece(own, { ...place, around }))
      }
    }
    const limit =
      name === "app"
        ? { restarts: 50, periodMillis: 1_000 }
        : { restarts: seed.between(0, 3), periodMillis: 5_000 }
    // Of those that are added later, nobody watches how often they start.
    if (!place.isAdded) this.limits.set(name, limit)
    // As listed is not as started.
    if (seed.chance(0.3) && !services.some(({ provides }) => provides)) services.reverse()
    return ServiceGroup.make(name, services, {
      strategy: seed.pick(["one-for-one", "rest-for-one", "one-for-all"]),
      intensity: { restarts: limit.restarts, period: limit.periodMillis },
      restart: seed.pick(["permanent", "transient"]),
      backoff: Schedule.spaced("500 millis")
    }) as AnyService
  }

  /** Something to add to a group that runs. */
  another(siblings: ReadonlyArray<string>, inGroup: boolean): AnyService {
    const place: Place = { depth: 0, providers: [], around: [], hurried: true, isAdded: true }
    if (inGroup) return this.group(this.newName("g"), this.seed.between(1, 3), place)
    const own = this.common(siblings)
    return this.piece(own, { ...place, around: own.after })
  }

  private common(siblings: ReadonlyArray<string>) {
    const { seed } = this
    return {
      after: siblings.filter(() => seed.chance(0.3)),
      restart: seed.pick<Service.Restart>(["permanent", "transient", "transient", "temporary"]),
      backoff: seed.chance(0.1)
        ? Schedule.recurs(2)
        : Schedule.spaced(seed.pick(["0 millis", "10 millis", "1 second", "3 seconds"] as const))
    }
  }

  private newName(prefix: string): string {
    return `${prefix}${++this.made}`
  }

  private piece(own: Service.Common | Omit<Service.Common, "name">, place: Place): AnyService {
    const { seed } = this
    const name = this.newName("s")
    const actor = new Actor(name, place.around, place.hurried)
    this.all.set(name, actor)
    const provides = seed.chance(0.15)
    if (provides) place.providers.push(name)
    return Service.make({
      ...own,
      name,
      startTimeout: "2 seconds",
      stopTimeout: "2 seconds",
      privileged: this.coded(actor, Effect.andThen(this.binding(actor), this.trouble(actor, 0.04))),
      start: () => this.coded(actor, Effect.andThen(this.opening(actor), this.trouble(actor, 0.08))),
      run: () => this.coded(actor, this.running(actor)),
      ...(provides ? { provides: () => Context.empty() } : {}),
      ...(seed.chance(0.3) ? { ready: () => this.probed(actor, 0.2) } : {}),
      ...(seed.chance(0.2) ? { live: () => this.probed(actor, 0.03) } : {}),
      ...(seed.chance(0.3) ? { reload: () => this.probed(actor, 0.2) } : {}),
      ...(seed.chance(0.3) ? { details: () => this.probed(actor, 0.2) } : {})
    }) as AnyService
  }

  /** Whoever hangs, or is on a host that stands still or is slow; and then the tree has waited for it. */
  leftBehind(path: string, now: number): void {
    this.say(`${path} is left behind`)
    const actor = this.all.get(path.slice(path.lastIndexOf("/") + 1))
    if (actor === undefined) return
    const waited = now - (actor.node?.state.value.since ?? 0)
    this.demand(actor.isExcused || waited > 1_900, `${path} is left behind after ${waited} ms`)
    actor.hung = true
  }

  // --- its phases -----------------------------------------------------------------------------------------

  /** Interrupted before it has begun, it has not run. */
  private coded<A, E, R>(actor: Actor, code: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.demand(actor.code === 0, `${actor.name} runs twice at once`)
        actor.code++
      }),
      () => code,
      () =>
        Effect.sync(() => {
          actor.code--
          actor.settle()
        })
    )
  }

  private binding(actor: Actor) {
    const { name } = actor
    return Effect.acquireRelease(
      Effect.map(ServiceInstance, ({ node }) => {
        actor.node = node
        this.say(`${name} binds`)
        this.demand(++actor.bound === 1, `${name} is bound ${actor.bound} times`)
        this.demand(actor.open === 0, `${name} is bound while it runs`)
      }),
      () =>
        Effect.gen({ self: this }, function* () {
          actor.ending++
          this.demand(actor.open === 0 || actor.isExcused, `${name} is released while it runs`)
          yield* this.asking(actor)
          yield* this.finalizing(actor)
          actor.bound--
          actor.ending--
          actor.settle()
          this.say(`${name} is released`)
          this.demand(actor.bound === 0, `${name} is bound ${actor.bound} times`)
        })
    )
  }

  private opening(actor: Actor) {
    const { name } = actor
    return Effect.acquireRelease(
      Effect.sync(() => {
        this.starts++
        this.say(`${name} starts`)
        this.opened.push(name)
        this.demand(++actor.open === 1, `${name} lives ${actor.open} times`)
        this.demand(actor.bound === 1, `${name} starts without being bound`)
        for (const needed of actor.needs) {
          const other = this.all.get(needed)
          if (other === undefined) continue
          this.demand(other.open === 1 && !other.closing, `${name} starts without ${needed}`)
        }
      }),
      () =>
        Effect.gen({ self: this }, function* () {
          actor.closing = true
          actor.ending++
          this.closed.push(name)
          this.say(`${name} stops`)
          this.demand(actor.code === 0 || actor.isExcused, `${name} is closed while its code runs`)
          for (const other of this.all.values()) {
            if (!other.needs.includes(name)) continue
            this.demand(other.open === 0 || other.isExcused, `${other.name} outlives ${name}`)
          }
          yield* this.asking(actor)
          yield* this.finalizing(actor)
          actor.closing = false
          actor.open--
          actor.ending--
          actor.settle()
          this.say(`${name} has stopped`)
        })
    )
  }

  private running(actor: Actor) {
    const { seed } = this
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        yield* Effect.sleep(seed.between(1, 4_000))
        if (this.isCalm) return yield* Effect.never
        const what = seed.unit()
        if (what < 0.1) return
        if (what < 0.3) return yield* Effect.fail(new Error("it broke"))
        if (what < 0.35) return yield* Effect.die("a defect")
        if (what < 0.4) yield* this.hang(actor)
        if (what < 0.5) {
          const { node } = yield* ServiceInstance
          if (node === undefined) continue
          const remove = Effect.suspend(() => node.parent?.remove(node.name) ?? Effect.void)
          const [what, asked] = seed.pick<readonly [string, Effect.Effect<void, unknown>]>([
            ["restart", node.restart],
            ["stop", node.stop],
            ["start", node.start],
            ["removal", remove]
          ])
          this.say(`${actor.name} asks for its ${what}`)
          yield* Effect.ignore(asked)
        }
      }
    })
  }

  /** Who asks for himself in his start, or in a finalizer, is told. */
  private asking(actor: Actor) {
    const { seed } = this
    return Effect.suspend(() => {
      if (this.isCalm || actor.isExcused || !seed.chance(0.1)) return Effect.void
      return Effect.gen({ self: this }, function* () {
        const { node } = yield* ServiceInstance
        if (node === undefined) return
        this.say(`${actor.name} asks for itself`)
        const exit = yield* Effect.exit(
          // Far longer than anybody would wait for this finalizer.
          Effect.timeoutOption(seed.pick([node.restart, node.start, node.stop]), "1 hour")
        )
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        const isTold = error instanceof ServiceError && error.reason._tag === "Reentrant"
        this.demand(isTold, `${actor.name} waits for itself: ${String(exit)}`)
      })
    })
  }

  /** Asked only while it runs. */
  private probed(actor: Actor, probability: number) {
    return Effect.suspend(() => {
      this.demand(actor.open === 1 || actor.isExcused, `${actor.name} is asked while it does not run`)
      if (this.isCalm) return Effect.void
      if (!this.seed.chance(probability)) return this.pause(100)
      return this.seed.pick([Effect.fail(new Error("no")), Effect.die("a defect"), Effect.never])
    })
  }

  private finalizing(actor: Actor) {
    return Effect.suspend(() => {
      const { seed } = this
      if (this.isCalm) return Effect.void
      if (seed.chance(0.03)) return this.hang(actor)
      if (seed.chance(0.03)) return Effect.ignoreCause(Effect.die("a defect"))
      return this.pause(1_000)
    })
  }

  /** Longer than anybody waits. */
  private hang(actor: Actor) {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        this.say(`${actor.name} hangs`)
        actor.hung = true
        return Effect.sleep(this.seed.between(500, 10_000))
      })
    )
  }

  private pause(most: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const millis = this.isCalm ? 0 : Math.min(most, this.seed.pick([0, 0, 0, 1, 10, 100, 1_000]))
      return millis === 0 ? Effect.void : Effect.sleep(millis)
    })
  }

  private trouble(actor: Actor, probability: number) {
    return Effect.suspend((): Effect.Effect<void, Error> => {
      if (this.isCalm) return Effect.void
      if (!this.seed.chance(probability)) return this.pause(1_000)
      return this.seed.pick([
        Effect.fail(new Error("trouble")),
        Effect.die("a defect"),
        Effect.never,
        this.hang(actor)
      ])
    })
  }
}
