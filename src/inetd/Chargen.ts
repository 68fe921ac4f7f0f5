/** Characters without end (RFC 864). Twisted: `wire.Chargen`. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Transport } from "../reactor/Transport.ts"
import * as ChargenWire from "./ChargenWire.ts"
import * as Discard from "./Discard.ts"
import type { SmallService } from "./SmallService.ts"

/**
 * Goes as fast as the client reads, and drops what it says. The end of the client's side is no reason to stop, as in inetd:
 * `nc host 19 </dev/null` gets its characters. That of the connection is.
 */
const generate = (transport: Transport) =>
  Effect.all([Effect.forever(transport.send(ChargenWire.pattern)), Discard.input(transport)], {
    concurrency: 2,
    discard: true
  })

export const service: SmallService = {
  name: "chargen",
  description: "sends a rotating pattern of characters (RFC 864)",
  rfc: 864,
  port: 19,
  protocol: generate,
  // From 0 to 512 of them, by chance.
  answer: () => Effect.map(Random.nextIntBetween(0, ChargenWire.datagramBytesMax), ChargenWire.datagram)
}
