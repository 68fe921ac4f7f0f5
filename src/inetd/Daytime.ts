/** Date and time as text (RFC 867). Twisted: `wire.Daytime`, which fails. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as DaytimeWire from "./DaytimeWire.ts"
import type { SmallService } from "./SmallService.ts"

const encoder = new TextEncoder()

/** Says the time, and closes. Default form: `rfc3339`. */
export const make = (format: DaytimeWire.Format = "rfc3339"): SmallService => {
  const say = Effect.map(Clock.currentTimeMillis, (now) => DaytimeWire.line(now, format))
  return {
    name: "daytime",
    description: "says date and time as text, and closes (RFC 867)",
    rfc: 867,
    port: 13,
    protocol: (transport) => Effect.flatMap(say, transport.send),
    answer: () => Effect.map(say, (line) => encoder.encode(line))
  }
}
