/** Why a persistent client or a pool has no connection to give: the reasons of `PersistentClientError` and `ClientPoolError`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import type { Fault, ReasonFields } from "../reactor/Reason.ts"

type ReasonClass<Tag extends string> = new (
  fields: Omit<ReasonFields, "errno">
) => Cause.YieldableError & { readonly _tag: Tag; readonly fault: Fault } & Readonly<
    Omit<ReasonFields, "errno">
  >

const reason = <const Tag extends string>(tag: Tag, fault: Fault): ReasonClass<Tag> =>
  class extends Data.TaggedError(tag)<Omit<ReasonFields, "errno">> {
    readonly fault: Fault = fault
    override get message(): string {
      return this.detail
    }
  }

/** Its scope has ended, or is ending. Twisted: `CancelledError`. */
export class Stopped extends reason("Stopped", "Local") {}
/** The peer ended the connection, or it broke: then `cause` is the `TransportError`. */
export class Lost extends reason("Lost", "Remote") {}
/** `waitersMax` wait already. */
export class QueueFull extends reason("QueueFull", "Local") {}
/** No connection was free within `acquireTimeout`. */
export class AcquireTimedOut extends reason("AcquireTimedOut", "Local") {}

/** `Lost`, by what became of `Transport.gone`. */
export const lost = (gone: Exit.Exit<unknown, unknown>): Lost => {
  const cause = Exit.isFailure(gone) ? Cause.squash(gone.cause) : undefined
  return new Lost({ detail: cause instanceof Error ? cause.message : "the peer ended the connection", cause })
}
