import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { type Signal, Signals } from "../reactor/Signals.ts"

/** Signals that may wait for a slow handler; the newest of a flood are dropped. */
const waitingMax = 64

export const make: Signals["Service"] = Signals.of({
  subscribe: (...which) =>
    Effect.acquireRelease(
      Effect.gen(function* () {
        const queue = yield* Queue.dropping<Signal>(waitingMax)
        const listeners = [...new Set(which)].map((signal) => {
          const listener = () => {
            Queue.offerUnsafe(queue, signal)
          }
          process.on(`SIG${signal}`, listener)
          return { signal, listener }
        })
        return { queue, listeners }
      }),
      ({ listeners, queue }) =>
        Effect.andThen(
          Effect.sync(() => {
            for (const { listener, signal } of listeners) process.off(`SIG${signal}`, listener)
          }),
          Queue.shutdown(queue)
        )
    ).pipe(Effect.map(({ queue }) => queue))
})

/** The process's signals. */
export const layer: Layer.Layer<Signals> = Layer.succeed(Signals, make)
