/** Two connections joined into one. Twisted: `portforward.Proxy`. */
import * as Effect from "effect/Effect"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"

/**
 * Passes everything on, in both directions, until both have ended. The end of one direction is passed on and leaves the other one
 * open; who reads slowly slows down who sends. When one side is lost both are reset, so that nobody takes a part for the
 * whole, and it fails with the reason. Interrupted, it leaves both as they are.
 */
export const between = (one: Transport, other: Transport): Effect.Effect<void, TransportError> => {
  const both = Effect.all([towards(one, other), towards(other, one)], { concurrency: 2, discard: true })
  return Effect.tapError(Effect.raceAllFirst([both, loss(one), loss(other)]), () =>
    Effect.andThen(one.abort, other.abort)
  )
}

// The sending function itself, so that a piece costs no fiber.
const towards = (from: Transport, to: Transport): Effect.Effect<void, TransportError> =>
  Effect.andThen(from.receiveEach(to.send), to.end)

/** Also of a side that has ended, while there is nothing to send to it. */
const loss = (transport: Transport): Effect.Effect<never, TransportError> =>
  Effect.andThen(transport.closed, Effect.never)
