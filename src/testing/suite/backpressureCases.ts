import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import { concat, pattern, pump, receiveAll, sameBytes, take } from "./bytes.ts"
import { equal, isPending, quiet, that } from "./check.ts"
import { type MakePair, pairCase, type PairSubject } from "./PairCase.ts"

const marks = { receiveBytesMax: 16_384, sendBytesMax: 16_384 }
const pieceLength = 8_192

/**
 * What may be on its way from a sender to a peer that does not receive: both high-water marks, each overrun by
 * one piece (of the sender, or of what the system delivers at once), and what the system holds.
 */
const boundOf = (subject: PairSubject): number =>
  marks.sendBytesMax + pieceLength + marks.receiveBytesMax + 65_536 + (subject.systemBytesMax ?? 0)

/** Neither side holds more than its high-water mark, however fast the other one is. */
export const backpressureCases = [
  pairCase(
    "send waits while the peer does not receive, and goes on when it does",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair(marks)
      const bound = boundOf(subject)
      const bytes = pattern(bound + 2 * 1024 * 1024)
      const { progress, run } = pump(left, bytes, pieceLength)
      const sender = yield* Effect.forkChild(run, { startImmediately: true })
      yield* quiet(() => progress.accepted)
      that(isPending(sender), `send took ${progress.accepted} bytes that nobody received`)
      that(
        progress.accepted <= bound,
        `send took ${progress.accepted} bytes before it waited; ${bound} are allowed`
      )
      sameBytes(yield* take(right, bytes.length), bytes, "what arrived in the end")
      yield* Fiber.join(sender)
    })
  ),

  pairCase(
    "receiveEach holds the sender back while its effect is pending",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair(marks)
      const bound = boundOf(subject)
      const bytes = pattern(bound + 2 * 1024 * 1024)
      const { progress, run } = pump(left, bytes, pieceLength)
      const gate = yield* Deferred.make<void>()
      const pieces: Array<Uint8Array> = []
      const receiver = yield* Effect.forkChild(
        right.receiveEach((piece) => {
          pieces.push(piece)
          return pieces.length === 1 ? Deferred.await(gate) : Effect.void
        }),
        { startImmediately: true }
      )
      const sender = yield* Effect.forkChild(Effect.andThen(run, left.end), { startImmediately: true })
      yield* quiet(() => progress.accepted)
      that(isPending(sender), `send took ${progress.accepted} bytes that nobody received`)
      equal(pieces.length, 1, "pieces given to a pending effect")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(receiver)
      sameBytes(concat(pieces), bytes, "what arrived in the end")
    })
  ),

  pairCase(
    "a send that waits is woken, wherever its fiber gives way to others",
    Effect.fnUntraced(function* (pair: MakePair) {
      const bytes = pattern(128 * 1024)
      for (const operations of [3, 4, 5, 6, 7]) {
        const { left, right } = yield* pair(marks)
        const sender = yield* pump(left, bytes, pieceLength).run.pipe(
          Effect.andThen(left.end),
          Effect.provideService(References.MaxOpsBeforeYield, operations),
          Effect.forkChild({ startImmediately: true })
        )
        sameBytes(yield* receiveAll(right), bytes, `what arrived, with a turn after ${operations} operations`)
        yield* Fiber.join(sender)
      }
    })
  ),

  pairCase(
    "a send that is interrupted while it waits leaves the stream whole",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair(marks)
      const bytes = pattern(boundOf(subject) + 2 * 1024 * 1024)
      const { progress, run } = pump(left, bytes, pieceLength)
      const sender = yield* Effect.forkChild(run, { startImmediately: true })
      yield* quiet(() => progress.accepted)
      yield* Fiber.interrupt(sender)
      yield* Effect.forkChild(Effect.andThen(left.send("tail"), left.end), { startImmediately: true })
      const received = yield* receiveAll(right)
      const whole = received.length - 4
      that(
        whole === progress.accepted || whole === progress.accepted + pieceLength,
        `${whole} bytes arrived of ${progress.accepted} accepted: the interrupted piece was torn`
      )
      sameBytes(received.subarray(0, whole), bytes.subarray(0, whole), "what arrived")
    })
  ),

  pairCase(
    "the end of input waits behind unreceived bytes",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair(marks)
      const bytes = pattern(256 * 1024)
      const { progress, run } = pump(left, bytes, pieceLength)
      yield* Effect.forkChild(Effect.andThen(run, left.end), { startImmediately: true })
      yield* quiet(() => progress.accepted)
      sameBytes(yield* receiveAll(right), bytes, "what arrived before the end")
    })
  ),

  pairCase(
    "1 MiB passes through high-water marks of a few bytes",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ receiveBytesMax: 1, sendBytesMax: 1 })
      const bytes = pattern(1024 * 1024)
      yield* Effect.forkChild(Effect.andThen(pump(left, bytes, 10_000).run, left.end), {
        startImmediately: true
      })
      sameBytes(yield* receiveAll(right), bytes, "what arrived")
    })
  )
]
