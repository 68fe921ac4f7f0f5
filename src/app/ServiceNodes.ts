/** Members made of descriptions, and the nodes by which programs know them. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { nearest } from "../reactor/EndpointSuggestion.ts"
import type { Any } from "./Service.ts"
import * as ServiceCommand from "./ServiceCommand.ts"
import { ServiceError } from "./ServiceError.ts"
import { Member, type Tree } from "./ServiceMember.ts"
import * as ServiceMembership from "./ServiceMembership.ts"
import type { ServiceNode } from "./ServiceNode.ts"
import * as ServiceOrder from "./ServiceOrder.ts"
import * as ServiceReason from "./ServiceReason.ts"
import { reload } from "./ServiceReload.ts"
import * as ServiceSnapshot from "./ServiceSnapshot.ts"
import * as ServiceState from "./ServiceState.ts"

/** A member, with all below it; its group does not have it yet. */
export const make = (
  tree: Tree,
  service: Any,
  parent: Member | undefined,
  added?: { readonly extra: Context.Context<never> }
): Effect.Effect<Member, ServiceError> =>
  Effect.gen(function* () {
    const since = tree.clock.currentTimeMillisUnsafe()
    const state = yield* SubscriptionRef.make<ServiceState.ServiceState>({
      _tag: "Stopped",
      since,
      waitingFor: undefined
    })
    const member = new Member(tree, service, parent, state, added)
    member.node = makeNode(member)
    const children: Array<Member> = []
    for (const child of member.group?.services ?? []) children.push(yield* make(tree, child, member))
    yield* place(member, children)
    return member
  })

/** Gives a group its services, if these can be put in order. */
const place = (group: Member, children: ReadonlyArray<Member>): Effect.Effect<void, ServiceError> =>
  Effect.suspend(() => {
    const order = ServiceOrder.make(children.map(({ service }) => service))
    if (Result.isFailure(order)) {
      const { name, reason } = order.failure
      const path = children.find((child) => child.name === name)?.path ?? group.path
      return Effect.fail(new ServiceError({ path, reason }))
    }
    group.children = children
    group.order = order.success
    return Effect.void
  })

const makeNode = (member: Member): ServiceNode =>
  Object.freeze<ServiceNode>({
    name: member.name,
    path: member.path,
    description: member.service.description,
    parent: member.parent?.node,
    state: member.state,
    start: ServiceCommand.start(member),
    stop: ServiceCommand.stop(member),
    restart: ServiceCommand.restart(member),
    reload: reload(member),
    ready: Effect.sync(() => ServiceState.isReady(member.state.value)),
    live: Effect.sync(() => ServiceSnapshot.isLive(member)),
    children: Effect.sync(() => member.starts.map(({ node }) => node)),
    find: (path) => Effect.map(find(member, path), ({ node }) => node),
    // What the service requires is in the context of who adds it.
    add: (service) => addTo(member, service),
    remove: (name) =>
      Effect.flatMap(childOf(member, name), (child) =>
        ServiceMembership.remove(member, child, () =>
          place(
            member,
            member.children.filter((other) => other !== child)
          )
        )
      ),
    snapshot: ServiceSnapshot.make(member)
  })

const addTo = (group: Member, service: Any): Effect.Effect<ServiceNode, ServiceError> =>
  Effect.gen(function* () {
    if (group.group === undefined) return yield* notAGroup(group)
    const extra = yield* Effect.context<never>()
    const member = yield* ServiceMembership.add(group, () =>
      Effect.tap(make(group.tree, service, group, { extra }), (child) =>
        place(group, [...group.children, child])
      )
    )
    return member.node
  })

const notAGroup = ({ path }: Member): ServiceError =>
  new ServiceError({ path, reason: new ServiceReason.NotAGroup() })

const childOf = (group: Member, name: string): Effect.Effect<Member, ServiceError> =>
  Effect.suspend(() => {
    if (group.group === undefined) return Effect.fail(notAGroup(group))
    const child = group.children.find((child) => child.name === name)
    if (child !== undefined) return Effect.succeed(child)
    const suggestion = nearest(
      name,
      group.children.map(({ name }) => name)
    )
    return Effect.fail(
      new ServiceError({ path: group.path, reason: new ServiceReason.NotFound({ name, suggestion }) })
    )
  })

const find = (member: Member, path: string): Effect.Effect<Member, ServiceError> =>
  path
    .split("/")
    .filter((name) => name !== "")
    .reduce<Effect.Effect<Member, ServiceError>>(
      (found, name) => Effect.flatMap(found, (group) => childOf(group, name)),
      Effect.succeed(member)
    )
