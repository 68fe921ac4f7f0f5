/** Reads a message of a SOCKS conversation; what comes behind it stays for whoever reads next. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Ended, SocksError } from "./SocksError.ts"
import { joined, type Parse } from "./SocksWire.ts"

const ended = () => Effect.fail(new SocksError({ operation: "parse", reason: new Ended() }))

/** What is held of an unfinished message is bounded by what `parse` lets pass. */
export const receive = Effect.fnUntraced(function* <A>(
  transport: Transport,
  parse: Parse<A>
): Effect.fn.Return<A, SocksError | TransportError> {
  let bytes: Uint8Array = new Uint8Array(0)
  for (;;) {
    const parsed = yield* Effect.fromResult(parse(bytes))
    if (parsed !== undefined) {
      if (parsed.size < bytes.length) yield* transport.unread(bytes.subarray(parsed.size))
      return parsed.value
    }
    const piece = yield* Pull.catchDone(transport.receive, ended)
    bytes = bytes.length === 0 ? piece : joined(bytes, piece)
  }
})
