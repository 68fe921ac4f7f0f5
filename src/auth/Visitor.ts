/** Who asks to be let in, as far as the connection tells: for limits by peer, and for rules such as "not in plaintext". */
import * as Context from "effect/Context"
import * as PeerKey from "../protocol/PeerKey.ts"
import type { Transport } from "../reactor/Transport.ts"

export interface Visitor {
  /** One peer is one text: an address without a port. */
  readonly peer: string | undefined
  /** Whether nobody can listen. */
  readonly secured: boolean
}

/** What a conversation provides to its logins: `Effect.provideService(login, Visitor.Current, Visitor.of(transport))`. */
export const Current: Context.Reference<Visitor> = Context.Reference<Visitor>("spindle/auth/Visitor", {
  defaultValue: () => ({ peer: undefined, secured: false })
})

const peerOf = PeerKey.make(64)

/** 64 bits of an IPv6 address are one peer. A UNIX socket counts as secured. */
export const of = (transport: Transport): Visitor => {
  const peer = peerOf(transport)
  return { peer, secured: transport.security._tag === "Tls" || peer === "unix" }
}
