/** Signs of life: a ping to who has been silent, and an end to who stays so. One timer serves all WebSockets of a route. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { NodeWebSocketConnection, Pulse } from "../node/NodeWebSocketConnection.ts"
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

  /** Until it is shut down. */
  readonly watch = (connection: NodeWebSocketConnection): Effect.Effect<void> => {
    const { deadlines } = this
    if (deadlines === undefined) return Effect.void
    const beat = new Beat(connection, deadlines, this.pongTicks)
    connection.pulse = beat
    return deadlines.watch(beat)
  }
}

class Beat implements Swept, Pulse {
  private readonly deadlines: Deadlines
  private readonly connection: NodeWebSocketConnection
  private readonly pongTicks: number
  private feltAt: number
  private isAsked = false

  constructor(connection: NodeWebSocketConnection, deadlines: Deadlines, pongTicks: number) {
    this.connection = connection
    this.pongTicks = pongTicks
    this.deadlines = deadlines
    this.feltAt = deadlines.tick
  }

  felt(): void {
    this.feltAt = this.deadlines.tick
    this.isAsked = false
  }

  stop(): void {
    this.deadlines.remove(this)
  }

  swept(tick: number): boolean {
    const { connection } = this
    // Who is held back cannot be heard.
    if (connection.isHolding) this.feltAt = tick
    if (tick - this.feltAt <= (this.isAsked ? this.pongTicks : ticksPerTimeout)) return false
    if (this.isAsked) {
      connection.silent()
      return true
    }
    this.feltAt = tick
    this.isAsked = true
    connection.ask()
    return false
  }
}
