/** The two ways to write an echo with us. */
import * as Effect from "effect/Effect"
import type { Transport } from "spindle/reactor"

export const each = (transport: Transport.Transport) => transport.receiveEach(transport.send)

export const pull = Effect.fnUntraced(function* (transport: Transport.Transport) {
  while (true) yield* transport.send(yield* transport.receive)
})
