import type * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type * as Transport from "../reactor/Transport.ts"

/** One connection of a server, from accept to the last finalizer. */
export class Connection {
  readonly id: number
  readonly transport: Transport.Closeable
  readonly scope: Scope.Closeable
  fiber: Fiber.Fiber<void, unknown> | undefined = undefined
  span: Tracer.Span | undefined = undefined
  /** Already counted as such. */
  failed = false

  constructor(id: number, transport: Transport.Closeable, scope: Scope.Closeable) {
    this.id = id
    this.transport = transport
    this.scope = scope
  }

  get peer(): string {
    return NetAddress.formatSocketAddress(this.transport.peer)
  }

  /** As a log annotation it is its peer, made into text only when something is logged. */
  toString(): string {
    return this.peer
  }

  toJSON(): string {
    return this.peer
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.peer
  }
}

/** What a server has seen, and has now. */
export interface Counts {
  /** Connections now open. */
  readonly open: number
  /** Connections taken since the start. */
  readonly accepted: number
  /** Connections closed at once because `connectionsMax` were open. */
  readonly refused: number
  /** Connections whose protocol failed by a fault of its own. */
  readonly failed: number
}

export const noCounts: Counts = { open: 0, accepted: 0, refused: 0, failed: 0 }
