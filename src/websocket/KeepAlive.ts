/** Signs of life: a ping to who has been silent, and an end to who stays so. One timer serves all WebSockets of a route. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NodeWebSocketConnection } from "../node/NodeWebSocketConnection.ts"
import { Deadlines, type Swept, ticksPerTimeout } from "../protocol/Deadlines.ts"

export interface Options {
  /** Silence after which the peer is sent a ping. `Infinity`: never. Default 30 seconds. */
  readonly pingInterval?: Duration.Input | undefined
  /** How long the peer may take to send anything behind it; then the connection is reset. Default 10 seconds. */
  readonly pongTimeout?: Duration.Input | undefined
}

export class KeepAlive {
  private readonly deadlines: Deadlines | undefined
  private readonly pongTicks: number

  constructor(options: Options) {
    const interval = Duration.fromInputUnsafe(options.pingInterval ?? "30 seconds")
    this.deadlines = Duration.isFinite(interval) ? new Deadlines(interval) : undefined
    const patience = Duration.toMillis(options.pongTimeout ?? "10 seconds")
    this.pongTicks = Math.ceil(patience / (this.deadlines?.tickMillis ?? 1))
  }

  /** As long as the scope. */
  watch(connection: NodeWebSocketConnection): Effect.Effect<void, never, Scope.Scope> {
    const { deadlines } = this
    if (deadlines === undefined) return Effect.void
    const pulse = new Pulse(connection, deadlines, this.pongTicks)
    return Effect.acquireRelease(deadlines.watch(pulse), () => Effect.sync(() => deadlines.remove(pulse)))
  }
}

class Pulse implements Swept {
  private readonly connection: NodeWebSocketConnection
  private readonly pongTicks: number
  private felt: number
  private isAsked = false

  constructor(connection: NodeWebSocketConnection, deadlines: Deadlines, pongTicks: number) {
    this.connection = connection
    this.pongTicks = pongTicks
    this.felt = deadlines.tick
    connection.onActivity = () => {
      this.felt = deadlines.tick
      this.isAsked = false
    }
  }

  swept(tick: number): boolean {
    const { connection } = this
    // Who is held back cannot be heard.
    if (connection.isHolding) this.felt = tick
    if (tick - this.felt <= (this.isAsked ? this.pongTicks : ticksPerTimeout)) return false
    if (this.isAsked) {
      connection.silent()
      return true
    }
    this.felt = tick
    this.isAsked = true
    connection.ask()
    return false
  }
}
