/** Signals that a test sends, and what an application logs meanwhile. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import { type Signal, Signals } from "../../src/reactor/Signals.ts"

export class Switchboard {
  private readonly queues = new Map<Queue.Queue<Signal>, ReadonlyArray<Signal>>()
  readonly logged: Array<string> = []

  readonly layer: Layer.Layer<Signals> = Layer.merge(
    Layer.succeed(Signals, {
      subscribe: (...which) =>
        Effect.acquireRelease(
          Effect.tap(Queue.unbounded<Signal>(), (queue) => Effect.sync(() => this.queues.set(queue, which))),
          (queue) => Effect.sync(() => this.queues.delete(queue))
        )
    }),
    Logger.layer([
      Logger.make(({ logLevel, message }) => {
        const parts = (Array.isArray(message) ? message : [message]) as ReadonlyArray<unknown>
        this.logged.push(
          `${logLevel} ${parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ")}`
        )
      })
    ])
  )

  /** How many listen. */
  get subscribers(): number {
    return this.queues.size
  }

  readonly send = (signal: Signal): Effect.Effect<void> =>
    Effect.forEach(
      Array.from(this.queues),
      ([queue, which]) => (which.includes(signal) ? Queue.offer(queue, signal) : Effect.void),
      { discard: true }
    )
}
