/**
 * Inputs that nobody meant, for boxes, for every type of argument, and for whole conversations, of a server and of a client.
 * `FUZZ_INPUTS=2000000 npx vitest run test/amp/fuzz.test.ts` is an hour's worth.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpSession from "../../src/amp/AmpSession.ts"
import * as AmpWire from "../../src/amp/AmpWire.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { now, observed, serve } from "../protocol/serving.ts"
import { fuzz, inputsCount } from "../support/randomBytes.ts"
import { valueParts } from "./valueParts.ts"
import { bytesOf, group, world } from "./conversing.ts"

const pair = (key: string, value: string) =>
  [key, value].map((one) => String.fromCharCode(one.length >> 8, one.length & 255) + one).join("")
const end = "\0\0"
const first = AmpSession.tagOf(1)

const names = ["Echo", "Wait", "Large", "Note", "Bad", "Ask", "None", "StartTLS"]
const own = ["Spindle-Large-Values", "Spindle-Cancel"]

/** Parts of boxes, right and nearly right. */
const words = [
  end,
  end,
  ...[...names, ...own].map((name) => pair("_command", name)),
  ...["1", "2", "3", first, "", "zz"].flatMap((tag) => [
    pair("_ask", tag),
    pair("_answer", tag),
    pair("_error", tag)
  ]),
  pair("_error_code", "UNKNOWN"),
  pair("_error_code", "REFUSED"),
  pair("_error_description", "no"),
  pair("text", "x"),
  pair("text", "\xff"),
  pair("size", "10"),
  pair("size", "65536"),
  pair("size", "x"),
  pair("n", "1"),
  pair("boxBytesMax", "100000"),
  pair("boxBytesMax", "1"),
  pair("call", "1"),
  pair("call", first),
  pair("value", "v".repeat(300)),
  pair("__proto__", "x"),
  "\0",
  "\x01",
  "\0\x04_as"
]

const box = (pairs: Readonly<Record<string, string>>) => Buffer.from(bytesOf(pairs)).toString("latin1")

const calls = [
  box({ _ask: "1", _command: "Echo", text: "x" }),
  box({ _ask: first, _command: "Wait" }) + box({ _command: "Spindle-Cancel", call: first }),
  box({ _command: "Note", text: "x" }),
  box({ _ask: "2", _command: "Ask" }) + box({ _answer: first, text: "y" }),
  box({ _ask: "3", _command: "Large", size: "70000" }) + box({ _answer: first, boxBytesMax: "100000" }),
  box({ _ask: "4", _command: "Spindle-Large-Values", boxBytesMax: "200000" }),
  box({ _ask: "5", _command: "Bad" }),
  box({ _ask: "6", _command: "StartTLS" })
]

const answers = [
  box({ _answer: first, text: "x" }) + box({ _answer: "2" }),
  box({ _error: "2", _error_code: "REFUSED", _error_description: "no" }),
  box({ _command: "Spindle-Cancel" }) + box({ _answer: "3", value: "v" }),
  box({ _error: first, _error_code: "UNHANDLED", _error_description: "no" }),
  box({ _ask: "1", _command: "Echo", text: "x" })
]

describe("boxes", () => {
  it("are the same at every chunking, and what is read is written as it was", () => {
    fuzz({ words, examples: [...calls, ...answers], inputs: inputsCount(20_000) }, (input, below) => {
      for (const large of [false, true]) {
        const decode = (chunks: ReadonlyArray<Uint8Array>) => {
          const decoder = AmpWire.decoder({ boxBytesMax: 400, pairsMax: 4 })
          if (large) decoder.acceptLargeValues(400)
          const boxes: Array<AmpWire.Box> = []
          for (const chunk of chunks) {
            decoder.push(chunk)
            boxes.push(...decoder.drain())
          }
          decoder.finish()
          boxes.push(...decoder.drain())
          return { boxes, failure: decoder.failure?.reason._tag }
        }
        const whole = decode([input])
        const cuts = Array.from({ length: below(4) }, () => below(input.length + 1)).toSorted((a, b) => a - b)
        assert.deepStrictEqual(
          decode([0, ...cuts].map((from, i) => input.subarray(from, cuts[i] ?? input.length))),
          whole
        )
        for (const one of whole.boxes) {
          AmpSession.classify(one)
          const again = AmpWire.decodeAll(Result.getOrThrow(AmpWire.encode(one)))
          assert.deepStrictEqual(Result.getOrThrow(again), [one])
        }
      }
    })
  })
})

describe("arguments", () => {
  const moment = "2020-01-02T03:04:05.000006-00:00"
  const boxes = AmpArgument.AmpList({
    a: AmpArgument.Integer,
    b: AmpArgument.optional(AmpArgument.Unicode)
  })
  const check =
    <A>(type: Schema.Codec<A, Uint8Array>) =>
    (input: Uint8Array): boolean => {
      const read = Schema.decodeUnknownResult(type)(input)
      if (Result.isFailure(read)) return false
      const written = Schema.encodeSync(type)(read.success)
      const again = Schema.decodeUnknownSync(type)(written)
      assert.deepStrictEqual(again, read.success)
      assert.deepStrictEqual(Schema.encodeSync(type)(again), written)
      return true
    }
  const types: Readonly<Record<string, readonly [(input: Uint8Array) => boolean, ReadonlyArray<string>]>> = {
    Integer: [check(AmpArgument.Integer), ["0", "-12345"]],
    BigInteger: [check(AmpArgument.BigInteger), ["0", "-123456789012345678901234567890"]],
    String: [check(AmpArgument.String), ["", "\0\xff"]],
    Unicode: [check(AmpArgument.Unicode), ["x", "\xf0\x9f\x98\x80", "\xef\xbb\xbf"]],
    Float: [check(AmpArgument.Float), ["0.1", "-0.0", "1e+16", "inf", "nan"]],
    Boolean: [check(AmpArgument.Boolean), ["True", "False"]],
    Path: [check(AmpArgument.Path), ["/a/../b", "//x"]],
    Decimal: [check(AmpArgument.Decimal), ["-1.50E+7", "NaN12", "-Infinity", "0E-7"]],
    BigDecimalValue: [check(AmpArgument.BigDecimalValue), ["1.50E+7", "0.000", "-12.34"]],
    DateTime: [check(AmpArgument.DateTime), [moment, "9999-12-31T23:59:59.999999+23:59"]],
    DateTimeZoned: [check(AmpArgument.DateTimeZoned), [moment, "0001-01-01T00:00:00.000000-00:00"]],
    ListOf: [check(AmpArgument.ListOf(AmpArgument.Integer)), ["", "\0\x011\0\x02-2"]],
    nested: [check(AmpArgument.ListOf(AmpArgument.ListOf(AmpArgument.Float))), ["\0\x05\0\x031.5\0\0"]],
    AmpList: [check(boxes), [box({ a: "1", b: "x" }) + box({ a: "2" })]],
    boxesOfBoxes: [check(AmpArgument.AmpList({ boxes })), [box({ boxes: box({ a: "1" }) })]],
    // None came with it.
    Descriptor: [check(AmpArgument.Descriptor), ["0"]]
  }
  for (const [name, [use, examples]] of Object.entries(types)) {
    it(`${name}: what is read is written and read again as the same`, () => {
      let read = 0
      fuzz({ words: valueParts, examples, inputs: Math.ceil(inputsCount(20_000) / 20) }, (input) => {
        if (use(input)) read++
      })
      assert.strictEqual(read > 0, name !== "Descriptor")
    })
  }
})

const inputsOf = (examples: ReadonlyArray<string>): ReadonlyArray<Uint8Array> => {
  const inputs: Array<Uint8Array> = []
  fuzz({ words, examples, inputs: Math.ceil(inputsCount(20_000) / 20) }, (input) => void inputs.push(input))
  return inputs
}

describe("conversations", () => {
  it.effect("a server answers or ends, breaks nothing of its own, and serves whoever comes then", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { connect, dial, network, settled } = yield* world({ finishTimeout: "1 second" })
        for (const [i, input] of inputsOf(calls).entries()) {
          const raw = yield* dial
          yield* Effect.ignore(raw.send(input))
          if (i % 3 === 0) yield* Effect.ignore(raw.end)
          const reading = yield* Effect.forkChild(Effect.ignore(raw.receiveEach(() => Effect.void)), now)
          yield* settled
          // Handlers that nobody releases are interrupted.
          if (reading.pollUnsafe() === undefined && i % 3 === 0) yield* TestClock.adjust("1.1 seconds")
          yield* raw.abort
          yield* Fiber.join(reading)
          yield* settled
        }
        assert.deepStrictEqual(
          // What the handlers do on purpose, and what could not be sent to a peer that takes no more.
          reports.map(({ cause }) => String(cause)).filter((text) => !/safe integer|limit/.test(text)),
          []
        )
        assert.strictEqual((yield* network.statistics).connections, 0)
        const { calls: well } = yield* connect
        assert.deepStrictEqual(yield* well.Echo({ text: "on" }), { text: "on" })
      })
    ).pipe(Effect.scoped)
  )

  it.effect("a client's calls come to an end, whatever the server says", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        let input: Uint8Array = new Uint8Array(0)
        const server = yield* serve((transport: Transport) =>
          Effect.gen(function* () {
            yield* transport.receive
            yield* transport.send(input)
            yield* transport.end
            yield* transport.receiveEach(() => Effect.void)
          })
        )
        for (input of inputsOf(answers)) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { calls } = yield* AmpClient.make(yield* server.dial, group)
              const settled = yield* Effect.forEach(
                [calls.Echo({ text: "x" }), calls.Wait(), calls.Large({ size: 1 })],
                (call) =>
                  Effect.forkChild(Effect.exit(Effect.asVoid(call as Effect.Effect<unknown, unknown>)), now)
              )
              yield* Fiber.joinAll(settled)
            })
          )
          yield* server.settled
        }
        assert.deepStrictEqual(reports, [])
      })
    ).pipe(Effect.scoped)
  )
})
