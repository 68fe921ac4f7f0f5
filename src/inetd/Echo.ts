/** What comes goes back (RFC 862). Twisted: `wire.Echo`. */
import * as Effect from "effect/Effect"
import type { SmallService } from "./SmallService.ts"

/** A client that does not read what it gets back is not read from either: nothing is kept but a few buffers. */
export const service: SmallService = {
  name: "echo",
  description: "sends back whatever it receives (RFC 862)",
  rfc: 862,
  port: 7,
  protocol: (transport) => transport.receiveEach(transport.send),
  answer: (request) => Effect.succeed(request)
}
