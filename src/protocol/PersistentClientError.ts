import * as Data from "effect/Data"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type * as ClientReason from "./ClientReason.ts"

/** A persistent client has no connection: it was stopped (Twisted: `CancelledError`), or the last one was lost. */
export class PersistentClientError extends Data.TaggedError("PersistentClientError")<{
  /** The endpoint's description, as `Endpoint.format` prints it. */
  readonly endpoint: string
  readonly reason: ClientReason.Stopped | ClientReason.Lost
}> {
  override get message(): string {
    return `no connection to ${visible(this.endpoint)}: ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
