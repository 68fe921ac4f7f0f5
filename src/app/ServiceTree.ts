/**
 * A running application: its services, as a tree. Twisted: the root `MultiService`.
 *
 * ```ts
 * const main = Effect.gen(function* () {
 *   const tree = yield* ServiceTree.start(ServiceGroup.make("app", [store, web]))
 *   const web = yield* tree.find("web")
 *   yield* web.restart
 *   yield* tree.failed
 * }).pipe(Effect.scoped)
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Service } from "./Service.ts"
import * as ServiceBranch from "./ServiceBranch.ts"
import * as ServiceCommand from "./ServiceCommand.ts"
import type { ServiceError } from "./ServiceError.ts"
import * as ServiceGroup from "./ServiceGroup.ts"
import type { Tree } from "./ServiceMember.ts"
import type { ServiceNode } from "./ServiceNode.ts"
import * as ServiceNodes from "./ServiceNodes.ts"
import type { Snapshot } from "./ServiceSnapshot.ts"
import { fallen, turnsOf } from "./ServiceSupervision.ts"
import { CurrentAsking, perform } from "./ServiceTurn.ts"
import { inBackground } from "./ServiceWaiting.ts"

export interface ServiceTree {
  readonly root: ServiceNode
  /** One of its services, by path: `web/http`. `/` is the root. */
  readonly find: (path: string) => Effect.Effect<ServiceNode, ServiceError>
  readonly reload: Effect.Effect<void, ServiceError>
  /** Stops everything, in reverse. The end of the tree's scope does so, too; after that nothing can be started any more. */
  readonly stop: Effect.Effect<void, ServiceError>
  /** Waits until the tree as a whole has failed: one of its services failed for good or too often. All is stopped then. */
  readonly failed: Effect.Effect<never, ServiceError>
  readonly ready: Effect.Effect<boolean>
  readonly live: Effect.Effect<boolean>
  readonly snapshot: Effect.Effect<Snapshot>
}

/** A tree whose first phase is over. */
export interface Bound {
  readonly root: ServiceNode
  /** The second phase. When it fails, or is interrupted, everything is stopped, and what was bound released. */
  readonly start: Effect.Effect<ServiceTree, ServiceError>
}

/**
 * The first phase of all services, in order. When one fails, what was bound is released. Names and order are checked before.
 *
 * A service that is no group becomes the only one of a group: somebody has to start it again.
 */
export const bind = <Provides, E, R>(
  service: Service<Provides, E, R>
): Effect.Effect<Bound, ServiceError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const group = service.body._tag === "Group" ? service : ServiceGroup.make(service.name, [service])
    // The services of the tree are not parts of the one that runs it.
    const context = Context.add(yield* Effect.context<never>(), CurrentAsking, undefined)
    const tree: Tree = {
      context,
      clock: yield* Clock.Clock,
      turn: Semaphore.makeUnsafe(1),
      failed: Deferred.makeUnsafe(),
      closed: false,
      fallen: (member, life, failure) =>
        Effect.suspend(() => {
          life.fallen = true
          const seen = perform(
            context,
            turnsOf(member.parent, tree),
            (operation) =>
              Effect.suspend(() =>
                member.life === life && !life.ended ? fallen(member, failure, operation) : Effect.void
              ),
            { cancellable: false }
          )
          return Effect.asVoid(inBackground(member, seen))
        })
    }
    const root = yield* ServiceNodes.make(tree, group, undefined)
    const close = Effect.suspend(() => {
      tree.closed = true
      return Effect.ignore(ServiceCommand.stop(root))
    })
    yield* Effect.acquireRelease(
      perform(context, [tree.turn], (operation) => ServiceBranch.bind(root, operation, "Stop"), {
        cancellable: true
      }),
      () => close,
      { interruptible: true }
    )
    const started: ServiceTree = Object.freeze({
      root: root.node,
      find: root.node.find,
      reload: root.node.reload,
      stop: root.node.stop,
      failed: Deferred.await(tree.failed),
      ready: root.node.ready,
      live: root.node.live,
      snapshot: root.node.snapshot
    })
    return Object.freeze({ root: root.node, start: Effect.as(root.node.start, started) })
  })

/** Both phases. */
export const start = <Provides, E, R>(
  service: Service<Provides, E, R>
): Effect.Effect<ServiceTree, ServiceError, R | Scope.Scope> =>
  Effect.flatMap(bind(service), (bound) => bound.start)
