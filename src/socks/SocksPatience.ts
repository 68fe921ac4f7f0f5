/** How long a proxy waits, and for whom. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Cut } from "../protocol/Cut.ts"
import type { Deadline, Deadlines } from "../protocol/Deadlines.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Waiters from "../reactor/Waiters.ts"

export interface Options<B, E> {
  /** Takes the place of what took too long. */
  readonly expired: Effect.Effect<B, E>
  /** Nothing is done on behalf of one that is lost: that is how it fails then. One that has ended its side still waits. */
  readonly client?: Transport | undefined
}

/** Interrupts `effect` at its deadline, and when the client is lost. A race for each of the two would cost four fibers more. */
export const within = <A, E, R, B, E2>(
  deadlines: Deadlines,
  effect: Effect.Effect<A, E, R>,
  { client, expired }: Options<B, E2>
): Effect.Effect<A | B, E | E2 | TransportError, R> =>
  Effect.suspend(() => {
    let deadline: Deadline | undefined
    let forget: (() => void) | undefined
    const bounded = Effect.suspend(() => {
      const cut = new Cut<B, E2 | TransportError>()
      deadline = deadlines.make(() => cut.now(expired))
      deadline.touch()
      const sweeping = deadlines.watch(deadline)
      if (client !== undefined) {
        forget = Waiters.watch(client.closed, Fiber.getCurrent()!.context, (exit) => {
          if (Exit.isFailure(exit)) cut.now(Effect.failCause(exit.cause))
        })
      }
      const running = cut.around(effect)
      return sweeping === Effect.void ? running : Effect.andThen(sweeping, running)
    })
    return Effect.onExit(bounded, () => {
      if (deadline !== undefined) deadlines.remove(deadline)
      forget?.()
      return Effect.void
    })
  })
