import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Slotted } from "../reactor/DenseSet.ts"
import { type LoopHost, ReceiveLoop } from "../reactor/ReceiveLoop.ts"
import type * as Transport from "../reactor/Transport.ts"
import { show } from "./PeerKey.ts"

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly contextOf: (connection: Connection) => Context.Context<never>
  readonly ended: (connection: Connection, exit: Exit.Exit<void, unknown>) => void
}

/**
 * One connection of a server, from accept to the last finalizer. Its scope and context are made when somebody asks for
 * them: a protocol that only forwards never does.
 */
export class Connection implements LoopHost, Slotted {
  slot = -1
  readonly id: number
  readonly transport: Transport.Closeable
  /** What runs its protocol. */
  running: Fiber.Fiber<void, unknown> | ReceiveLoop | undefined = undefined
  /** Already counted as such. */
  failed = false
  private readonly server: ConnectionHost
  private ownScope: Scope.Closeable | undefined = undefined
  private ownContext: Context.Context<never> | undefined = undefined
  private ownSpan: Tracer.Span | undefined = undefined

  constructor(id: number, transport: Transport.Closeable, server: ConnectionHost) {
    this.id = id
    this.transport = transport
    this.server = server
  }

  get scope(): Scope.Closeable {
    return (this.ownScope ??= Scope.makeUnsafe())
  }

  get context(): Context.Context<never> {
    return (this.ownContext ??= this.server.contextOf(this))
  }

  get span(): Tracer.Span | undefined {
    return this.ownSpan
  }

  set span(span: Tracer.Span | undefined) {
    this.ownSpan = span
    this.ownContext = undefined
  }

  /** Runs the finalizers, if there are any. */
  closeScope(exit: Exit.Exit<void, unknown>): Effect.Effect<void> | undefined {
    return this.ownScope === undefined ? undefined : Scope.closeUnsafe(this.ownScope, exit)
  }

  /** The loop that is all of its protocol has ended. */
  loopEnded(exit: Exit.Exit<void, unknown>): void {
    this.server.ended(this, exit)
  }

  /** Interrupts the protocol. */
  get interrupt(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { running } = this
      if (running instanceof ReceiveLoop) {
        if (running.done) return Effect.void
        return Effect.andThen(
          running.stop,
          Effect.sync(() => this.loopEnded(Exit.interrupt()))
        )
      }
      return Effect.sync(() => running?.interruptUnsafe())
    })
  }

  get peer(): string {
    return show(this.transport.peer)
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
