import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TransportError } from "../reactor/ReactorError.ts"

/** How a lane passes bytes on. */
export interface Road {
  /** Passes a piece on, and gives what is left to do. Needs no fiber. */
  readonly pass: (bytes: Uint8Array) => Effect.Effect<void, TransportError>
  /** Something that was passed is not paid for. */
  readonly owes: () => boolean
  /** Waits until it is. */
  readonly paid: Effect.Effect<void>
  readonly pieceBytesMax: number
}

interface Load {
  readonly bytes: Uint8Array
  /** How many of its bytes have been passed on. */
  passed: number
  start: (() => void) | undefined
}

/**
 * Sends what is big in pieces, as they are paid for, and what is sent meanwhile behind it. Whoever sends
 * drives its own load. A load of which something has left is never torn: when its sender is interrupted, or the
 * connection ends, the rest leaves at once.
 */
export class SendLane {
  private readonly road: Road
  private readonly loads: Array<Load> = []

  constructor(road: Road) {
    this.road = road
  }

  get isEmpty(): boolean {
    return this.loads.length === 0
  }

  send(bytes: Uint8Array): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      const load: Load = { bytes, passed: 0, start: undefined }
      const turn = Effect.suspend(() => {
        this.loads.push(load)
        return this.loads[0] === load ? this.drive(load) : Effect.andThen(this.turnOf(load), this.drive(load))
      })
      return Effect.onExit(turn, () => Effect.sync(() => this.leave(load)))
    })
  }

  /** Everything that is under way leaves at once. */
  flush(): void {
    for (const load of this.loads) this.finish(load)
  }

  private turnOf(load: Load): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.loads[0] === load) return resume(Effect.void)
      load.start = () => resume(Effect.void)
    })
  }

  private drive(load: Load): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      const { bytes } = load
      const { road } = this
      while (load.passed < bytes.length) {
        const piece = bytes.subarray(load.passed, load.passed + road.pieceBytesMax)
        load.passed += piece.length
        const rest = road.pass(piece)
        if (load.passed === bytes.length) return Effect.andThen(rest, road.paid)
        if (Exit.isExit(rest) && Exit.isFailure(rest)) return rest
        // What the transport has no room for it queues, as it would the whole load: only payment is waited for.
        if (road.owes()) return Effect.andThen(road.paid, this.drive(load))
      }
      return Effect.void
    })
  }

  private finish(load: Load): void {
    const { bytes, passed } = load
    if (passed === bytes.length) return
    load.passed = bytes.length
    // Queued by now; what is left to do is to wait, and to fail where all that follows fails, too.
    void this.road.pass(bytes.subarray(passed))
  }

  private leave(load: Load): void {
    const place = this.loads.indexOf(load)
    if (place < 0) return
    if (load.passed > 0) this.finish(load)
    this.loads.splice(place, 1)
    if (place === 0) this.loads[0]?.start?.()
  }
}
