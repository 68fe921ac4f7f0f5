/** Where a service is in a tree, and what it is made of. */
import * as Duration from "effect/Duration"
import type { Any } from "./Service.ts"
import type { Group, Piece } from "./ServiceBody.ts"
import * as ServiceOrder from "./ServiceOrder.ts"

/** `M`: what the tree is made of: this, and more. */
export abstract class ServicePlace<M extends ServicePlace<M>> {
  readonly service: Any
  readonly parent: M | undefined
  /** The names from below the root to it; of the root: `/`. */
  readonly path: string
  /** Added while the tree was there: what it provides, its group does not give to the group's siblings. */
  readonly added: boolean
  /** Of a group: its services, as listed. */
  children: ReadonlyArray<M> = []
  order: ServiceOrder.Order = { starts: [], dependencies: [] }

  constructor(service: Any, parent: M | undefined, added: boolean) {
    this.service = service
    this.parent = parent
    this.path =
      parent === undefined
        ? "/"
        : parent.parent === undefined
          ? service.name
          : `${parent.path}/${service.name}`
    this.added = added
  }

  private get self(): M {
    return this as unknown as M
  }

  // --- what it is made of ---------------------------------------------------------------------------------

  get name(): string {
    return this.service.name
  }
  get group(): Group | undefined {
    return this.service.body._tag === "Group" ? this.service.body : undefined
  }
  get piece(): Piece | undefined {
    return this.service.body._tag === "Piece" ? this.service.body : undefined
  }
  get startTimeout(): Duration.Duration {
    return this.timeout(this.service.startTimeout)
  }
  get stopTimeout(): Duration.Duration {
    return this.timeout(this.service.stopTimeout)
  }

  private timeout(input: Duration.Input | undefined): Duration.Duration {
    return Duration.fromInputUnsafe(input ?? (this.group === undefined ? "90 seconds" : Duration.infinity))
  }

  // --- its place --------------------------------------------------------------------------------------------

  /** Itself, its group, the group of that, ... up to the root. */
  *upwards(): Iterable<M> {
    yield this.self
    if (this.parent !== undefined) yield* this.parent.upwards()
  }

  /** Itself, and all below it. */
  *downwards(): Iterable<M> {
    yield this.self
    for (const child of this.children) yield* child.downwards()
  }

  get starts(): ReadonlyArray<M> {
    return this.order.starts.map((index) => this.children[index]!)
  }

  /** Whether what it provides is there for siblings of its group, too. */
  get exports(): boolean {
    return this.service.provides && !this.added
  }

  /** Siblings that it needs directly. */
  get dependencies(): ReadonlyArray<M> {
    return this.parent === undefined ? [] : this.parent.neededBy(this.self)
  }

  protected neededBy(child: M): ReadonlyArray<M> {
    const needed = this.order.dependencies[this.children.indexOf(child)] ?? []
    return needed.map((index) => this.children[index]!)
  }

  /** Of a group: these services, and those that need one of them, in the order in which they start. */
  withDependents(members: Iterable<M>): ReadonlyArray<M> {
    return this.reach(ServiceOrder.reverse(this.order.dependencies), members)
  }

  /** Of a group: these services, and those that they need. */
  withDependencies(members: Iterable<M>): ReadonlyArray<M> {
    return this.reach(this.order.dependencies, members)
  }

  private reach(edges: ReadonlyArray<ReadonlyArray<number>>, members: Iterable<M>): ReadonlyArray<M> {
    const from = [...members].map((member) => this.children.indexOf(member)).filter((index) => index >= 0)
    const reached = ServiceOrder.closure(edges, from)
    return this.order.starts.flatMap((index) => (reached.has(index) ? [this.children[index]!] : []))
  }
}
