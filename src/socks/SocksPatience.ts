/** How long a proxy waits, and for whom. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Cut } from "../protocol/Cut.ts"
import type { Deadline, Deadlines } from "../protocol/Deadlines.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Waiters from "../reactor/Waiters.ts"

/**
 * What is done for a client before anything is passed on: in one fiber, which has one deadline after another. Nothing is done on
 * behalf of a client that is lost: that is how it fails then. One that has ended its side still waits.
 */
export class Patience<B, E> {
  private readonly client: Transport
  private readonly cut = new Cut<B, E | TransportError>()
  private deadlines: Deadlines | undefined = undefined
  private deadline: Deadline | undefined = undefined

  constructor(client: Transport) {
    this.client = client
  }

  /** From now on this is how long it may take, and what takes its place then. */
  limit(deadlines: Deadlines, expired: Effect.Effect<B, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.rest()
      const deadline = deadlines.make(() => this.cut.now(expired))
      deadline.touch()
      this.deadlines = deadlines
      this.deadline = deadline
      return deadlines.watch(deadline)
    })
  }

  /** From now on it may take as long as it takes. */
  rest(): void {
    if (this.deadline !== undefined) this.deadlines?.remove(this.deadline)
    this.deadline = undefined
  }

  around<A, E2, R>(effect: Effect.Effect<A, E2, R>): Effect.Effect<A | B, E | E2 | TransportError, R> {
    return Effect.suspend(() => {
      const forget = Waiters.watch(this.client.closed, Fiber.getCurrent()!.context, (exit) => {
        if (Exit.isFailure(exit)) this.cut.now(Effect.failCause(exit.cause))
      })
      return Effect.onExit(this.cut.around(effect), () => {
        this.rest()
        forget()
        return Effect.void
      })
    })
  }
}
