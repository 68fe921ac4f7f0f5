/** The quotation of the day (RFC 865). Twisted: `wire.QOTD`. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as QotdWire from "./QotdWire.ts"
import type { SmallService } from "./SmallService.ts"

/** Says one of the quotations, by chance, and closes. Without any it says nothing. */
export const make = ({ quotes }: QotdWire.Quotes = QotdWire.standard): SmallService => {
  const choose =
    quotes.length === 0
      ? Effect.undefined
      : Effect.map(Random.nextIntBetween(0, quotes.length - 1), (index) => quotes[index])
  return {
    name: "qotd",
    description: "says a quotation, and closes (RFC 865)",
    rfc: 865,
    port: 17,
    protocol: (transport) =>
      Effect.flatMap(choose, (quote) => (quote === undefined ? Effect.void : transport.send(quote))),
    answer: () => choose
  }
}
