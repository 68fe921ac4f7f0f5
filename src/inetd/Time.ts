/** The time as a number (RFC 868). Twisted: `wire.Time`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ByteReader from "../framing/ByteReader.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { SmallService } from "./SmallService.ts"
import * as TimeWire from "./TimeWire.ts"

const say = Effect.map(Clock.currentTimeMillis, TimeWire.encode)

/** Says the time, and closes. */
export const service: SmallService = {
  name: "time",
  description: "says the seconds since 1900 in four bytes, and closes (RFC 868)",
  rfc: 868,
  port: 37,
  protocol: (transport) => Effect.flatMap(say, transport.send),
  answer: () => say
}

/**
 * What a time server says, in milliseconds since 1970. Seconds since 1900 run over in 2036; the meaning is taken that is
 * closest to our own clock.
 */
export const receive = (transport: Transport) =>
  Effect.gen(function* () {
    const bytes = yield* ByteReader.make(transport).readExactly(TimeWire.bytesCount)
    return TimeWire.decode(bytes, yield* Clock.currentTimeMillis)!
  })
