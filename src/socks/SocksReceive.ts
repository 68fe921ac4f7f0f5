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
export const receive = <A>(
  transport: Transport,
  parse: Parse<A>,
  held?: Uint8Array
): Effect.Effect<A, SocksError | TransportError> =>
  Effect.flatMap(Pull.catchDone(transport.receive, ended), (received) => {
    const bytes = held === undefined ? received : joined(held, received)
    const parsed = parse(bytes)
    if (Result.isFailure(parsed)) return Effect.fail(parsed.failure)
    const found = parsed.success
    if (found === undefined) return receive(transport, parse, bytes)
    return found.size < bytes.length
      ? Effect.as(transport.unread(bytes.subarray(found.size)), found.value)
      : Effect.succeed(found.value)
  })
