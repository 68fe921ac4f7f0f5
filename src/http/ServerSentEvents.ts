/**
 * Server-sent events: one source, and whoever listens to it over HTTP. Who was away says what it has seen last, and is sent what
 * it missed; who is too slow is let go, and comes back the same way.
 */
import * as Clock from "effect/Clock"
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Protocol from "../protocol/Protocol.ts"
import * as Wire from "./ServerSentEventsWire.ts"

export type { Event } from "./ServerSentEventsWire.ts"

export interface Options {
  /** Events that are kept for those who come back. Default 1,000. */
  readonly replayMax?: number | undefined
  /** The same in bytes. Default 1,048,576. */
  readonly replayBytesMax?: number | undefined
  /** Events that wait for a listener; with more its answer is ended behind them. Default 256. */
  readonly queueMax?: number | undefined
  /** After so long without an event a comment is sent. Default 15 seconds. */
  readonly keepAlive?: Duration.Input | undefined
  /** How long listeners are asked to wait before they come back. Default: what they have, mostly 3 seconds. */
  readonly retry?: Duration.Input | undefined
  /** The name of an event that is sent first to who has missed more than is kept. Default: none is sent. */
  readonly gapEvent?: string | undefined
}

/** A name or an id cannot be sent. */
export class InvalidEvent extends Data.TaggedError("InvalidEvent")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export interface Counts {
  readonly listeners: number
  /** Events that are kept. */
  readonly kept: number
  /** Listeners that were let go because they were too slow. */
  readonly slow: number
}

export interface ServerSentEvents {
  /** To all who listen, and those who come back. Gives its id: a new one, unless the event has its own. Waits for nobody. */
  readonly publish: (event: Wire.Event) => Effect.Effect<string, InvalidEvent>
  /**
   * Answers the request that is being handled: with what was missed since its `Last-Event-ID`, and what comes from now on, until the
   * server stops (`Protocol.stopping`): whoever listens comes back, to the next one.
   */
  readonly respond: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest>
  /** The same as bytes. */
  readonly listen: (lastEventId?: string) => Stream.Stream<Uint8Array>
  readonly counts: Effect.Effect<Counts>
}

interface Entry {
  readonly id: string
  readonly bytes: Uint8Array
}

type Listener = Queue.Queue<Uint8Array, Cause.Done>

const encoder = new TextEncoder()

/** A source; with its scope end all answers. */
export const make = (options: Options = {}): Effect.Effect<ServerSentEvents, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { queueMax = 256, replayBytesMax = 1_048_576, replayMax = 1_000 } = options
    const keepAlive = options.keepAlive ?? "15 seconds"
    const begun = (yield* Clock.currentTimeMillis).toString(36)
    const comment = encoder.encode(Wire.comment)
    const head = encoder.encode(
      options.retry === undefined ? Wire.comment : Wire.retry(Duration.toMillis(options.retry))
    )
    const gap =
      options.gapEvent === undefined
        ? undefined
        : encoder.encode(yield* Effect.orDie(encoded({ data: "", event: options.gapEvent })))
    const kept: Array<Entry> = []
    const listeners = new Set<Listener>()
    let bytes = 0
    let count = 0
    let slow = 0
    let isOver = false

    const keep = (entry: Entry): void => {
      kept.push(entry)
      bytes += entry.bytes.length
      while (kept.length > replayMax || (bytes > replayBytesMax && kept.length > 0)) {
        bytes -= kept.shift()!.bytes.length
      }
    }

    const publish = (event: Wire.Event): Effect.Effect<string, InvalidEvent> =>
      Effect.suspend(() => {
        // Unlike that of any earlier source: what it sent is not here.
        const id = event.id ?? `${begun}-${count + 1}`
        return Effect.map(encoded({ ...event, id }), (text) => {
          count++
          const entry = { id, bytes: encoder.encode(text) }
          keep(entry)
          for (const listener of listeners) {
            if (Queue.offerUnsafe(listener, entry.bytes)) continue
            slow++
            listeners.delete(listener)
            Queue.endUnsafe(listener)
          }
          return id
        })
      })

    const missedSince = (lastEventId: string): ReadonlyArray<Uint8Array> => {
      const seen = kept.findLastIndex(({ id }) => id === lastEventId)
      const missed = kept.slice(seen + 1).map((entry) => entry.bytes)
      return seen < 0 && gap !== undefined ? [gap, ...missed] : missed
    }

    const listen = (lastEventId?: string): Stream.Stream<Uint8Array> =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(
            Effect.tap(
              Queue.make<Uint8Array, Cause.Done>({ capacity: queueMax, strategy: "dropping" }),
              (_) =>
                Effect.sync(() => {
                  // Behind what is kept.
                  if (isOver) Queue.endUnsafe(_)
                  else listeners.add(_)
                })
            ),
            (listener) => Effect.sync(() => void listeners.delete(listener))
          ).pipe(
            Effect.tap((listener) =>
              Effect.forkScoped(
                Effect.andThen(
                  Protocol.stopping,
                  Effect.sync(() => {
                    listeners.delete(listener)
                    Queue.endUnsafe(listener)
                  })
                ),
                { startImmediately: true }
              )
            )
          ),
          (listener) => {
            const missed = lastEventId === undefined || lastEventId === "" ? [] : missedSince(lastEventId)
            const next = Effect.map(
              Effect.timeoutOption(Queue.takeAll(listener), keepAlive),
              Option.getOrElse(() => [comment] as const)
            )
            return Stream.concat(Stream.make(head, ...missed), Stream.fromPull(Effect.succeed(next)))
          }
        )
      )

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOver = true
        for (const listener of listeners) Queue.endUnsafe(listener)
        listeners.clear()
      })
    )

    return {
      publish,
      listen,
      respond: Effect.map(HttpServerRequest, ({ headers }) =>
        HttpServerResponse.stream(listen(headers["last-event-id"]), {
          contentType: "text/event-stream",
          headers: { "cache-control": "no-cache", "x-accel-buffering": "no" }
        })
      ),
      counts: Effect.sync(() => ({ listeners: listeners.size, kept: kept.length, slow }))
    }
  })

const encoded = (event: Wire.Event): Effect.Effect<string, InvalidEvent> => {
  const text = Wire.encode(event)
  return Result.isSuccess(text)
    ? Effect.succeed(text.success)
    : Effect.fail(new InvalidEvent({ detail: text.failure }))
}
