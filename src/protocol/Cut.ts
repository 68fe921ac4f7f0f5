import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Receiving from "../reactor/Receiving.ts"
import type { Transport } from "../reactor/Transport.ts"

/** How a conversation goes on its way when it is cut short. */
export interface Farewell {
  /** The transport that takes bytes now: TLS puts another in its place. */
  readonly transport: Transport
  /** Resets the connection at once: whoever cleans up cannot be kept waiting by a peer that does not read. */
  readonly reset: boolean
  /** Asked for what is said last, unless the connection is reset. A failure to send it is ignored. */
  readonly goodbye: () => Uint8Array | string | undefined
  /** How long cleaning up may take, and then the goodbye; after that the connection is reset. */
  readonly patience: Duration.Input
}

/** What to cut, once it runs: gives how it ended, where that is known. */
type Stop = Effect.Effect<Exit.Exit<unknown, unknown> | undefined>

/**
 * A pair of scissors for one effect. Where a race would take two fibers more, this takes one, and none for an effect
 * that is a receive loop.
 */
export class Cut<B, E = never> {
  private end: { readonly result: Effect.Effect<B, E>; readonly farewell: Farewell | undefined } | undefined =
    undefined
  private onCut: (() => void) | undefined = undefined

  /** Interrupts the effect; its place takes `result`, once the farewell is through. The first call counts. */
  readonly now = (result: Effect.Effect<B, E>, farewell?: Farewell): void => {
    if (this.end !== undefined) return
    this.end = { result, farewell }
    this.onCut?.()
  }

  around<A, E2, R>(self: Effect.Effect<A, E2, R>): Effect.Effect<A | B, E | E2, R> {
    const start = Receiving.startOf(self as Effect.Effect<never, E2, R>)
    return start === undefined ? this.aroundFiber(self) : this.aroundLoop(start)
  }

  /** Starting it and knowing of it are one step: nothing can come between. */
  private aroundFiber<A, E2, R>(self: Effect.Effect<A, E2, R>): Effect.Effect<A | B, E | E2, R> {
    return Effect.callback<A | B, E | E2, R>((resume) => {
      const context = Fiber.getCurrent()!.context as Context.Context<R>
      const fiber = Effect.runForkWith(context)(self)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return resume(exit)
      const forget = fiber.addObserver((exit) => {
        this.onCut = undefined
        resume(exit)
      })
      const interrupt = Effect.suspend(() => {
        this.onCut = undefined
        return Fiber.interrupt(fiber)
      })
      this.watch(() => {
        forget()
        const stop = Effect.andThen(interrupt, Fiber.await(fiber))
        resume(Effect.onExit(this.finish(stop), () => interrupt))
      })
      return interrupt
    })
  }

  /** As its fiber would do it, but in this one. */
  private aroundLoop<A, E2, R>(start: Receiving.Start): Effect.Effect<A | B, E | E2, R> {
    return Effect.suspend(() => {
      let stop: Effect.Effect<void> | undefined
      const running = Effect.callback<A | B, E | E2, R>((resume) => {
        const { context } = Fiber.getCurrent()!
        let cut = false
        const loop = start({
          context,
          loopEnded: (exit) => {
            stop = undefined
            if (!cut) resume(exit as Exit.Exit<A | B, E | E2>)
          }
        })
        if (loop === undefined) return
        stop = loop.stop
        this.watch(() => {
          cut = true
          resume(this.finish(Effect.as(loop.stop, undefined)))
        })
      })
      return Effect.onExit(running, () => {
        this.onCut = undefined
        return stop ?? Effect.void
      })
    })
  }

  private watch(onCut: () => void): void {
    this.onCut = onCut
    if (this.end !== undefined) onCut()
  }

  private finish(stop: Stop): Effect.Effect<B, E> {
    return Effect.suspend(() => {
      const { farewell, result } = this.end!
      const stopped = farewell === undefined ? stop : leave(stop, farewell)
      return Effect.flatMap(stopped, (exit): Effect.Effect<B, E> => {
        // What was cut has no result any more, but a fault of its finalizers is nobody else's to tell.
        if (exit?._tag === "Failure" && Cause.hasDies(exit.cause)) {
          return Effect.failCause(exit.cause as Cause.Cause<never>)
        }
        return result
      })
    })
  }
}

/** Stops what runs, and says goodbye; neither takes for ever while the peer has a hand in it. */
const leave = (stop: Stop, farewell: Farewell): Stop => {
  const { patience, reset, transport } = farewell
  const resetInTime = Effect.andThen(Effect.sleep(patience), transport.abort)
  // A reset comes when it takes too long, and then it is waited for none the less.
  const stopped = Effect.flatMap(Effect.forkChild(resetInTime, { startImmediately: true }), (alarm) =>
    Effect.onExit(stop, () => Fiber.interrupt(alarm))
  )
  return reset
    ? Effect.andThen(transport.abort, stop)
    : Effect.flatMap(stopped, (exit) => Effect.as(say(farewell), exit))
}

/** The farewell of a conversation that has stopped. */
export const say = ({ goodbye, patience, reset, transport }: Farewell): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (reset) return transport.abort
    const last = goodbye()
    if (last === undefined || last.length === 0) return Effect.void
    return Effect.timeoutOption(transport.send(last), patience).pipe(
      Effect.flatMap((said) => (Option.isSome(said) ? Effect.void : transport.abort)),
      Effect.ignore
    )
  })
