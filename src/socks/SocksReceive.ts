/** Reads a message of a SOCKS conversation; what comes behind it stays for whoever reads next. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
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
  const receiving = Pull.catchDone(transport.receive, ended)
  // No message is empty.
  let bytes = yield* receiving
  for (;;) {
    const parsed = parse(bytes)
    if (Result.isFailure(parsed)) return yield* parsed.failure
    const found = parsed.success
    if (found !== undefined) {
      if (found.size < bytes.length) yield* transport.unread(bytes.subarray(found.size))
      return found.value
    }
    bytes = joined(bytes, yield* receiving)
  }
})
