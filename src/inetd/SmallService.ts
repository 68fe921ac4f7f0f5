import type * as Effect from "effect/Effect"
import type { Protocol } from "../protocol/Protocol.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"

/** What is answered to one datagram; `undefined` for nothing. It keeps no reference to the request. */
export type Answer = (request: Uint8Array) => Effect.Effect<Uint8Array | undefined>

/** One of the small services of RFC 862 to 868, over either kind of socket. */
export interface SmallService {
  readonly name: string
  /** One line for people. */
  readonly description: string
  readonly rfc: number
  /** The port that IANA gave it, for TCP and UDP. */
  readonly port: number
  /** What runs on a connection. */
  readonly protocol: Protocol<Transport, TransportError>
  /** What a datagram gets. */
  readonly answer: Answer
}
