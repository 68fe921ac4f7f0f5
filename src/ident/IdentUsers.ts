/** Whose connections they are: what the application supplies. The ready default names nobody. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import { type Answer, hiddenUser, unixUser } from "./IdentWire.ts"

/** A connection of this machine, as this machine sees it: which is also the one that was asked about. */
export interface Owned {
  readonly local: NetAddress.InetAddress
  readonly peer: NetAddress.InetAddress
}

/** Twisted: `IdentServer.lookup`. */
export class IdentUsers extends Context.Service<
  IdentUsers,
  {
    /** Only about connections with whoever asks: RFC 1413 4, and nobody else's business. */
    readonly identify: (connection: Owned) => Effect.Effect<Answer>
  }
>()("spindle/ident/IdentUsers") {}

/** Everybody is hidden: enough for servers that only want an answer. */
export const hidden: IdentUsers["Service"] = { identify: () => Effect.succeed(hiddenUser) }

/** Everybody is called the same. */
export const always = (user: string): IdentUsers["Service"] => ({
  identify: () => Effect.succeed(unixUser(user))
})

export const layer = (users: IdentUsers["Service"] = hidden): Layer.Layer<IdentUsers> =>
  Layer.succeed(IdentUsers, users)
