import type * as Effect from "effect/Effect"
import * as Immediate from "./Immediate.ts"
import type { TransportError } from "./ReactorError.ts"
import { StreamTransport } from "./StreamTransport.ts"
import type { Transport } from "./Transport.ts"

/**
 * Sends at once, and gives what is left to do: `Effect.void` if nothing is. As `Immediate.beginning(transport.send)`, but makes
 * nothing that the transport would keep: for who has many that are idle.
 */
export const sendNow = (
  transport: Transport,
  bytes: Uint8Array | string
): Effect.Effect<void, TransportError> =>
  transport instanceof StreamTransport ? transport.sendNow(bytes) : Immediate.beginning(transport.send)(bytes)
