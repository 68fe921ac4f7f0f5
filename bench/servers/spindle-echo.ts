/** Ours: `MODE` chooses between `receiveEach` and a loop of `receive`. */
import * as Effect from "effect/Effect"
import type { Transport } from "spindle/reactor"
import { serve } from "./spindle.ts"

const each = (transport: Transport.Transport) => transport.receiveEach(transport.send)

const pull = Effect.fnUntraced(function* (transport: Transport.Transport) {
  while (true) yield* transport.send(yield* transport.receive)
})

serve(process.env.MODE === "receive" ? pull : each)
