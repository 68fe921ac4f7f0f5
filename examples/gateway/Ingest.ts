/** How readings come in: a conversation in lines over TCP and TLS, datagrams of lines over UDP. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { Lines } from "spindle/framing"
import { Protocol } from "spindle/protocol"
import type { Datagram, ReactorError, Transport } from "spindle/reactor"
import { Counters } from "./Counters.ts"
import * as Reading from "./Reading.ts"
import { Store } from "./Store.ts"

const lineBytesMax = 1_024

/** Parses lines, stores the good ones in one go, and gives a reply for each, in order. */
const take = (store: Store["Service"], counters: Counters["Service"]) =>
  Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
    const now = yield* Clock.currentTimeMillis
    const replies: Array<string> = []
    const readings: Array<Reading.Reading> = []
    for (const line of lines) {
      const parsed = Reading.parse(line, now)
      if (Result.isSuccess(parsed)) {
        readings.push(parsed.success)
        replies.push("ok")
      } else {
        replies.push(`error ${parsed.failure.message}`)
      }
    }
    counters.rejected += lines.length - readings.length
    if (readings.length === 0) return replies
    return yield* store.appendAll(readings).pipe(
      Effect.map(() => {
        counters.accepted += readings.length
        return replies
      }),
      Effect.catch((error) =>
        Effect.as(
          Effect.logError("readings could not be stored", error),
          replies.map((reply) => (reply === "ok" ? "error not stored, try again" : reply))
        )
      )
    )
  })

/**
 * Each line is answered, in order: `ok` once it is committed, `error REASON` for a bad one. A line of more than
 * 1,024 bytes, or one that the end of input cuts off, is answered with an error, and ends the conversation.
 */
export const conversation: Effect.Effect<
  Protocol.Protocol<Transport.Transport, ReactorError.TransportError>,
  never,
  Store | Counters
> = Effect.gen(function* () {
  const counters = yield* Counters
  const takeAll = take(yield* Store, counters)
  return Lines.over({ anyNewline: true, lineBytesMax })(
    Effect.fnUntraced(
      function* (lines: Lines.Lines) {
        counters.connections++
        // Once the gateway stops, nothing more is taken; what was taken is still answered.
        const stopped = Effect.andThen(Protocol.stopping, Cause.done())
        while (true) {
          const replies = yield* takeAll(yield* Effect.raceFirst(stopped, lines.receiveBatch))
          yield* lines.transport.send(`${replies.join("\r\n")}\r\n`)
        }
      },
      (effect, lines) =>
        effect.pipe(
          Effect.catchIf(Cause.isDone, () => Effect.void),
          Effect.catchTag("FramingError", (error) => {
            counters.rejected++
            return lines.transport.send(`error ${error.reason.message}\r\n`).pipe(Effect.ignore)
          })
        )
    )
  )
})

/** Stores what datagrams bring, a line or several each; nothing is answered, bad lines are counted. */
export const datagrams = (
  port: Datagram.Datagram
): Effect.Effect<void, ReactorError.DatagramError, Store | Counters | Scope.Scope> =>
  Effect.gen(function* () {
    const takeAll = take(yield* Store, yield* Counters)
    const text = new TextDecoder()
    const receive = port.receiveEach(
      (batch) =>
        Effect.asVoid(
          takeAll(
            batch.flatMap(({ bytes }) =>
              text
                .decode(bytes)
                .split(/\r?\n/)
                .filter((line) => line !== "")
            )
          )
        ),
      { onError: (error) => Effect.logDebug("a datagram was lost", error) }
    )
    yield* receive
  })
