import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { inside, type Provided } from "./Inside.ts"
import { Crashed } from "./SimError.ts"
import type { SimNetwork } from "./SimNetwork.ts"
import type { SimNode } from "./SimNode.ts"

/** An effect that runs on a host, until it is over or the host crashes. */
export interface Life<A, E> {
  readonly exit: Deferred.Deferred<A, E | Crashed>
  /** Tells it to end, and waits for that. */
  readonly stop: Effect.Effect<void>
}

/** `ended` is told of its end, but for a crash. */
export const begin = <A, E, R>(
  network: SimNetwork,
  node: SimNode,
  self: Effect.Effect<A, E, R>,
  ended: (exit: Exit.Exit<A, E>) => void = () => {}
): Effect.Effect<Life<A, E>, never, Exclude<R, Provided>> =>
  Effect.suspend(() => {
    const exit = Deferred.makeUnsafe<A, E | Crashed>()
    const crashed = () => void Deferred.doneUnsafe(exit, Effect.fail(new Crashed({ host: node.name })))
    const { machine } = node
    node.lives.add(crashed)
    return inside(network, node, self).pipe(
      Effect.onExit((end) =>
        Effect.sync(() => {
          node.lives.delete(crashed)
          ended(end)
          Deferred.doneUnsafe(exit, end)
        })
      ),
      Effect.forkDetach,
      Effect.map((fiber) => ({
        exit,
        // What is dead does not end any more.
        stop: Effect.suspend(() => (machine.isDead ? Effect.void : Fiber.interrupt(fiber)))
      }))
    )
  })
