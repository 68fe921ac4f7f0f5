/** A request to go on with another protocol on its connection (RFC 9110 §7.8), for who can. */
import * as Effect from "effect/Effect"
import type { Closeable } from "../reactor/Transport.ts"

export interface UpgradeHost {
  readonly isDraining: boolean
  /** Gives the connection away. */
  readonly give: Effect.Effect<Closeable>
}

export class NodeHttpUpgrade {
  private readonly host: UpgradeHost
  /** What came behind the request. */
  private readonly surplus: Uint8Array
  /** Told when the server stops: the new protocol knows how to end. */
  onDrain: (() => void) | undefined = undefined
  private taken = false

  constructor(host: UpgradeHost, surplus: Uint8Array) {
    this.host = host
    this.surplus = surplus
  }

  get isTaken(): boolean {
    return this.taken
  }

  /** Whether it is too late to begin with anything. */
  get isLate(): boolean {
    return this.host.isDraining
  }

  /** The connection, once: HTTP is done with it, and whoever takes it closes it. */
  readonly take: Effect.Effect<Closeable> = Effect.suspend(() => {
    this.taken = true
    const { host, surplus } = this
    return surplus.length === 0 ? host.give : Effect.tap(host.give, (transport) => transport.unread(surplus))
  })
}
