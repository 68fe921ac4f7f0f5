import * as Data from "effect/Data"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type * as ClientReason from "./ClientReason.ts"

/** A pool has no connection to give. */
export class ClientPoolError extends Data.TaggedError("ClientPoolError")<{
  /** The endpoint's description, as `Endpoint.format` prints it. */
  readonly endpoint: string
  readonly reason:
    | ClientReason.QueueFull
    | ClientReason.AcquireTimedOut
    | ClientReason.Lost
    | ClientReason.Stopped
}> {
  override get message(): string {
    return `no connection to ${visible(this.endpoint)}: ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

/** Why there is no connection: it was not made, could not be prepared (`E`), or the pool has none to give. */
export type Failure<E> = ConnectError | ClientPoolError | E
