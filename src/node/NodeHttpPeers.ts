/** How many connections each peer has open: nobody takes the places of all others. */
import type { Transport } from "../reactor/Transport.ts"

export class NodeHttpPeers<Connection extends { readonly transport: Transport }> {
  private readonly max: number
  private readonly keyOf: (transport: Transport) => string
  private readonly keys = new Map<Connection, string>()
  private readonly open = new Map<string, number>()

  constructor(max: number, keyOf: (transport: Transport) => string) {
    this.max = max
    this.keyOf = keyOf
  }

  /** Whether its peer may have one more. */
  hasPlace(transport: Transport): boolean {
    return this.max === Number.POSITIVE_INFINITY || (this.open.get(this.keyOf(transport)) ?? 0) < this.max
  }

  enter(connection: Connection): void {
    if (this.max === Number.POSITIVE_INFINITY) return
    const key = this.keyOf(connection.transport)
    this.keys.set(connection, key)
    this.open.set(key, (this.open.get(key) ?? 0) + 1)
  }

  /** The place of the one is the other's from now on. */
  follow(connection: Connection, next: Connection): void {
    const key = this.keys.get(connection)
    if (key === undefined) return
    this.keys.delete(connection)
    this.keys.set(next, key)
  }

  leave(connection: Connection): void {
    const key = this.keys.get(connection)
    if (key === undefined) return
    this.keys.delete(connection)
    const left = this.open.get(key)! - 1
    if (left === 0) this.open.delete(key)
    else this.open.set(key, left)
  }
}
