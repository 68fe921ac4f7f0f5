/** What the tests of `Throttle` share: floods, and how much of them passes in which time. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn as pairForGood, type Service } from "../memory/pair.ts"
import { now, serve as serveForGood, type ServeOptions } from "./serving.ts"

/** Its clients go without waiting: nobody lets time pass at the end of a test. */
export const serve = <E, R>(protocol: Protocol.Protocol<Transport, E, R>, options?: ServeOptions) =>
  Effect.map(serveForGood(protocol, options), (server) => ({
    ...server,
    dial: Effect.tap(server.dial, (client) => Effect.addFinalizer(() => client.abort))
  }))

export const pairOn = (reactor: Service) =>
  Effect.tap(pairForGood(reactor), ({ client }) => Effect.addFinalizer(() => client.abort))

export interface Settling {
  readonly settled: Effect.Effect<void>
}

/** Lets time pass in small steps, and the network work after each. */
export const pass = Effect.fnUntraced(function* ({ settled }: Settling, seconds: number, stepMillis = 50) {
  yield* settled
  for (let millis = 0; millis < seconds * 1_000; millis += stepMillis) {
    yield* TestClock.adjust(stepMillis)
    yield* settled
  }
})

export interface Count {
  bytes: number
  pieces: number
}

/** Counts what comes, for as long as the scope lasts. */
export const counting = Effect.fnUntraced(function* (transport: Transport) {
  const count: Count = { bytes: 0, pieces: 0 }
  yield* Effect.forkScoped(transport.receiveEach(counted(count)), now)
  return count
})

export const counted = (count: Count) => (bytes: Uint8Array) =>
  Effect.sync(() => {
    count.bytes += bytes.length
    count.pieces++
  })

export const flood =
  (pieceBytes: number) =>
  (transport: Transport): Effect.Effect<void, unknown> =>
    Effect.forever(transport.send(new Uint8Array(pieceBytes)))

/** Sends for as long as the scope lasts. */
export const flooding = (transport: Transport, pieceBytes: number) =>
  Effect.forkScoped(Effect.ignore(flood(pieceBytes)(transport)), now)
