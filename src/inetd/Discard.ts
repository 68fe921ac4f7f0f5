/** What comes is thrown away (RFC 863). Twisted: `wire.Discard`. */
import * as Effect from "effect/Effect"
import type { Transport } from "../reactor/Transport.ts"
import type { SmallService } from "./SmallService.ts"

/** Receives until the end of input, and keeps nothing. */
export const input = (transport: Transport) => transport.receiveEach(() => Effect.void)

export const service: SmallService = {
  name: "discard",
  description: "throws away whatever it receives (RFC 863)",
  rfc: 863,
  port: 9,
  protocol: input,
  answer: () => Effect.undefined
}
