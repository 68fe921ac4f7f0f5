import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Transport } from "../../reactor/Transport.ts"
import {
  concat,
  next,
  pattern,
  pump,
  receiveAll,
  sameBytes,
  sendAll,
  take,
  takeText,
  text,
  utf8
} from "./bytes.ts"
import { equal, failsWith, isDone, isPending, turn, turns } from "./check.ts"
import { type MakePair, pairCase } from "./PairCase.ts"

const fork = { startImmediately: true } as const

/** Streams 2 MiB at a reader whose every attempt may be given up, and compares what it got. */
const stormed = (
  pair: MakePair,
  attempt: (transport: Transport, i: number) => Effect.Effect<Uint8Array | undefined, unknown>
) =>
  Effect.gen(function* () {
    const { left, right } = yield* pair({ receiveBytesMax: 8_192, sendBytesMax: 8_192 })
    const bytes = pattern(2 * 1024 * 1024)
    const sender = Effect.gen(function* () {
      let i = 0
      for (let offset = 0; offset < bytes.length;) {
        const length = ((i * 977) % 9_000) + 1
        yield* left.send(bytes.subarray(offset, offset + length))
        offset += length
        if (i++ % 3 === 0) yield* turns(i % 4)
      }
    })
    yield* Effect.forkChild(sender, fork)
    const pieces: Array<Uint8Array> = []
    let received = 0
    for (let i = 0; received < bytes.length; i++) {
      const piece = yield* attempt(right, i)
      if (piece === undefined) continue
      pieces.push(piece)
      received += piece.length
    }
    sameBytes(concat(pieces), bytes, "what was received between interruptions")
  })

/** One fiber at a time, interruption without loss, and giving back. */
export const receivingCases = [
  pairCase(
    "a second receive fails as busy, the first goes on unharmed",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const first = yield* Effect.forkChild(right.receive, fork)
      yield* failsWith(right.receive, "Busy", "a second receive")
      yield* failsWith(
        right.receiveEach(() => Effect.void),
        "Busy",
        "receiveEach beside a receive"
      )
      yield* left.send("for the first")
      equal(text(yield* Fiber.join(first)), "for the first", "what the first received")
    })
  ),

  pairCase(
    "receive fails as busy while receiveEach runs",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const pieces: Array<string> = []
      const loop = yield* Effect.forkChild(
        right.receiveEach((bytes) => {
          pieces.push(text(bytes))
          return Effect.void
        }),
        fork
      )
      yield* failsWith(right.receive, "Busy", "receive beside receiveEach")
      yield* failsWith(
        right.receiveEach(() => Effect.void),
        "Busy",
        "a second receiveEach"
      )
      yield* left.send("for the loop")
      yield* left.end
      yield* Fiber.join(loop)
      equal(pieces.join(""), "for the loop", "what the loop received")
    })
  ),

  pairCase(
    "an interrupted receive leaves the next one everything",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (let i = 0; i < 100; i++) {
        const fiber = yield* Effect.forkChild(right.receive, fork)
        yield* turns(i % 3)
        yield* Fiber.interrupt(fiber)
      }
      yield* left.send("still here")
      equal(yield* takeText(right, 10), "still here", "what was received after 100 interruptions")
    })
  ),

  pairCase("interruptions in the middle of traffic lose nothing", (pair) =>
    stormed(
      pair,
      Effect.fnUntraced(function* (transport, i) {
        const fiber = yield* Effect.forkChild(transport.receive, fork)
        yield* turns(i % 4)
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        return Exit.isSuccess(exit) ? exit.value : undefined
      })
    )
  ),

  pairCase("receive under raceFirst loses nothing", (pair) =>
    stormed(pair, (transport, i) =>
      Effect.raceFirst(transport.receive, Effect.as(turns(1 + (i % 3)), undefined))
    )
  ),

  pairCase("receive under a timeout loses nothing", (pair) =>
    stormed(pair, (transport, i) =>
      Effect.map(Effect.timeoutOption(transport.receive, i % 2), Option.getOrUndefined)
    )
  ),

  pairCase(
    "unread gives back, before anything else, the last one first",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("d-and-more")
      yield* right.unread(utf8("c"))
      yield* right.unread(new Uint8Array(0))
      yield* right.unread(utf8("b"))
      yield* right.unread(utf8("a"))
      equal(text(yield* right.receive), "a", "the piece handed back last")
      yield* right.unread(utf8("A"))
      equal(yield* takeText(right, 4), "Abcd", "what was handed back, then what came")
      equal(yield* takeText(right, 9), "-and-more", "the rest")
    })
  ),

  pairCase(
    "unread wakes a fiber that waits to receive",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const waiting = yield* Effect.forkChild(right.receive, fork)
      yield* turn
      equal(isPending(waiting), true, "the receive waits")
      yield* right.unread(new Uint8Array(0))
      yield* turn
      equal(isPending(waiting), true, "the receive still waits after an empty unread")
      yield* right.unread(utf8("back"))
      equal(text(yield* Fiber.join(waiting)), "back", "what the waiting fiber received")
      yield* left.send("next")
      equal(yield* takeText(right, 4), "next", "what came afterwards")
    })
  ),

  pairCase(
    "unread at the end of input is received before the end",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("tail")
      yield* left.end
      const tail = yield* receiveAll(right)
      yield* right.unread(tail)
      equal(yield* takeText(right, 4), "tail", "what was handed back")
      yield* isDone(right.receive, "receive after it")
    })
  ),

  pairCase(
    "2,000 pieces handed back come one by one",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (let i = 2_000; i > 0; i--) yield* right.unread(Uint8Array.of(i & 255))
      yield* left.end
      let count = 0
      yield* right.receiveEach((bytes) => {
        equal(bytes[0], ++count & 255, "the next piece")
        return Effect.void
      })
      equal(count, 2_000, "pieces")
    }),
    { once: true }
  ),

  pairCase(
    "small messages arrive one after the other, each when it was sent",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      for (let i = 0; i < 200; i++) {
        yield* left.send(`ping ${i}`)
        equal(yield* takeText(right, `ping ${i}`.length), `ping ${i}`, "the message")
        yield* sendAll(right, ["pong ", String(i)])
        equal(yield* takeText(left, `pong ${i}`.length), `pong ${i}`, "the answer")
      }
    })
  ),

  pairCase(
    "the end of input is Done, and stays Done",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      yield* left.send("last")
      yield* left.end
      equal(yield* takeText(right, 4), "last", "what came before the end")
      for (let i = 0; i < 3; i++) yield* isDone(right.receive, `receive ${i} at the end of input`)
      equal(yield* next(right), undefined, "receive at the end")
      sameBytes(yield* take(right, 0), new Uint8Array(0), "nothing")
      let called = 0
      yield* right.receiveEach(() => Effect.sync(() => called++))
      equal(called, 0, "calls of receiveEach at the end of input")
    })
  ),

  pairCase(
    "the end of input wakes a fiber that waits for it",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const waiting = yield* Effect.forkChild(right.receive, fork)
      yield* turn
      yield* left.end
      yield* isDone(Fiber.join(waiting), "the waiting receive")
    })
  ),

  pairCase(
    "2 MiB are received by receive and receiveEach in turns",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair({ receiveBytesMax: 8_192 })
      const bytes = pattern(2 * 1024 * 1024)
      yield* Effect.forkChild(Effect.andThen(pump(left, bytes, 7_000).run, left.end), fork)
      const pieces: Array<Uint8Array> = []
      for (let ended = false; !ended;) {
        let budget = 5
        const result = yield* Effect.exit(
          right.receiveEach((piece) => {
            pieces.push(piece)
            return --budget === 0 ? Effect.fail("enough") : Effect.void
          })
        )
        const piece = Exit.isSuccess(result) ? undefined : yield* next(right)
        if (piece === undefined) ended = true
        else pieces.push(piece)
      }
      sameBytes(concat(pieces), bytes, "what arrived")
    })
  )
]
