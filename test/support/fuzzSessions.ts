/** Whole sessions of a server, in memory, with whatever comes: random bytes, cut anywhere, and a peer that ends or is gone. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { observed, serve } from "../protocol/serving.ts"
import { fuzz, inputsCount } from "./randomBytes.ts"

export interface Options {
  /** Pieces of the protocol; and what is good, to be changed a little. */
  readonly words: ReadonlyArray<string>
  readonly examples: ReadonlyArray<string>
  /** Sessions, unless `FUZZ_INPUTS` says another number. */
  readonly sessions: number
  /** What a server may say at most, to an input of so many bytes. */
  readonly answerBytesMax: (inputBytes: number) => number
}

/** No defect is reported, what is said is bounded, and nobody stays when all peers are gone. */
export const fuzzSessions = <E, R>(protocol: Protocol.Protocol<Transport, E, R>, options: Options) =>
  observed(({ reports }) =>
    Effect.gen(function* () {
      const sessions: Array<{ readonly input: Uint8Array; readonly size: number; readonly ends: boolean }> =
        []
      fuzz({ ...options, inputs: inputsCount(options.sessions) }, (input, below) => {
        sessions.push({ input, size: 1 + below(12), ends: below(2) === 0 })
      })
      const { dial, server, settled } = yield* serve(protocol, { drainTimeout: 0, interruptTimeout: 0 })
      for (const { ends, input, size } of sessions) {
        const client = yield* dial
        let heard = 0
        yield* Effect.forkScoped(
          Effect.ignore(client.receiveEach((bytes) => Effect.sync(() => void (heard += bytes.length))))
        )
        for (let at = 0; at < input.length; at += size) {
          // The server may have had enough.
          yield* Effect.ignore(client.send(input.slice(at, at + size)))
        }
        yield* settled
        yield* TestClock.adjust("2 seconds")
        assert.isAtMost(heard, options.answerBytesMax(input.length), JSON.stringify(Buffer.from(input)))
        yield* ends ? Effect.ignore(client.end) : client.abort
        yield* settled
        yield* client.hangUp
      }
      yield* TestClock.adjust("2 hours")
      yield* settled
      assert.strictEqual(server.counts.value.open, 0)
      assert.deepStrictEqual(
        reports.map((report) => String(report.cause)),
        []
      )
    }).pipe(Effect.scoped)
  ) as Effect.Effect<void, unknown, Exclude<R, Reactor | Scope.Scope>>
