/** Whole sessions, with whatever comes: a server in memory, random bytes and cuts. Never a defect, never more than so much. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import { fuzz, inputsCount } from "../support/randomBytes.ts"
import { observed, serve } from "../protocol/serving.ts"

const words = [
  "\xff\xfb",
  "\xff\xfc",
  "\xff\xfd",
  "\xff\xfe",
  "\xff\xfa",
  "\xff\xf0",
  "\xff\xf4",
  "\xff\xf6",
  "\xff\xf5",
  "\xff\xff",
  "\0",
  "\x01",
  "\x03",
  "\x18",
  "\x1f",
  "\x22",
  "\x2a",
  "\r",
  "\n",
  "\r\n",
  "\t",
  "\x1b",
  "\x1b[A",
  "\x1b[200~",
  "\x1b[201~",
  "\x1b[D",
  "\x04",
  "\x12",
  "\x17",
  "\x19",
  "\x1f",
  "\x15",
  "help",
  "echo ",
  "count\r",
  "terminal\r",
  "history\r",
  "\xc3\xa4",
  "\xf0\x9f",
  "x"
]
const interactive = "\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfb\x18\xff\xfa\x18\0XTERM\xff\xf0"
const examples = [
  `${interactive}\xff\xfb\x1f\xff\xfa\x1f\0\x14\0\x05\xff\xf0echo one two three\r`,
  `${interactive}count\r\x03help\rhe\t\t\x12e\x1b[A\r\x1b[200~a\rb\x1b[201~\r`,
  "\xff\xfb\x22\xff\xfa\x22\x01\x07\xff\xf0\xff\xfa\x22\x03\x03\x02\x07\xff\xf0one\r\n\xff\xf4",
  "echo plain\r\nterminal\r\nquit\r\n"
]
/** What one word may make a server say: the terminal is asked for, the line is drawn anew. */
const answerBytesMax = 6_000

describe("fuzzing whole sessions", () => {
  it.effect(
    "no defect, no report; what is said is bounded, and all is over when the peer is gone",
    () =>
      observed(({ reports }) =>
        Effect.gen(function* () {
          const inputs: Array<{
            readonly input: Uint8Array
            readonly pieces: number
            readonly ends: boolean
          }> = []
          fuzz({ words, examples, inputs: inputsCount(500) }, (input, below) => {
            inputs.push({ input, pieces: 1 + below(12), ends: below(2) === 0 })
          })
          for (const lineMode of [false, true]) {
            const { dial, server, settled } = yield* serve(
              (transport) =>
                Effect.provideService(
                  TelnetServer.protocol({ lineMode })(transport),
                  TelnetShell.TelnetShell,
                  TelnetShell.example
                ),
              { drainTimeout: 0, interruptTimeout: 0 }
            )
            for (const { ends, input, pieces } of inputs) {
              const client = yield* dial
              let heard = 0
              yield* Effect.forkScoped(
                Effect.ignore(client.receiveEach((bytes) => Effect.sync(() => void (heard += bytes.length))))
              )
              for (let at = 0; at < input.length; at += pieces) {
                yield* Effect.ignore(client.send(input.slice(at, at + pieces)))
              }
              yield* settled
              yield* TestClock.adjust("2 seconds")
              assert.isBelow(heard, answerBytesMax + 500 * input.length)
              yield* ends ? Effect.ignore(client.end) : client.abort
              yield* settled
              yield* client.hangUp
              yield* settled
            }
            yield* TestClock.adjust("2 hours")
            yield* settled
            assert.strictEqual(server.counts.value.open, 0)
          }
          assert.deepStrictEqual(reports.map(String), [])
        }).pipe(Effect.scoped)
      ),
    60_000
  )
})
