/** RFC 6455, by the cases of the Autobahn fuzzing client: each whole, by the frame, and most of them by the byte. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { until } from "../http/httpKit.ts"
import { type Case, cases } from "./autobahnCases.ts"
import { shown } from "./frames.ts"
import { echo, handshake, serving } from "./webSocketKit.ts"

interface Bytes {
  readonly receiveEach: (f: (bytes: Uint8Array) => Effect.Effect<void>) => Effect.Effect<void, unknown>
}

const everything = (transport: Bytes): Effect.Effect<Uint8Array> =>
  Effect.suspend(() => {
    const pieces: Array<Uint8Array> = []
    return Effect.map(
      Effect.exit(transport.receiveEach((bytes) => Effect.sync(() => void pieces.push(bytes)))),
      () => Buffer.concat(pieces)
    )
  })

/** More takes too long by the byte. */
const bytesMax = 2_000

const by = {
  whole: (sent: Uint8Array) => [sent],
  "by the byte": (sent: Uint8Array) =>
    sent.length > bytesMax ? undefined : Array.from(sent, (byte) => Uint8Array.of(byte))
}

const answers = Effect.fnUntraced(function* (
  server: Effect.Success<ReturnType<typeof serving<never>>>,
  pieces: ReadonlyArray<Uint8Array>
) {
  const transport = yield* server.transport
  yield* transport.send(handshake())
  yield* until(transport, /\r\n\r\n$/)
  yield* Effect.forkChild(
    Effect.ignore(Effect.forEach(pieces, (piece) => transport.send(Uint8Array.from(piece)))),
    {
      startImmediately: true
    }
  )
  return shown(yield* everything(transport))
}, Effect.scoped)

describe("the cases of Autobahn", () => {
  const groups = new Map<string, Array<Case>>()
  for (const one of cases) {
    const group = /^\d+/.exec(one.id)?.[0] ?? "others"
    groups.set(group, [...(groups.get(group) ?? []), one])
  }
  for (const [group, all] of groups) {
    for (const [manner, piecesOf] of Object.entries(by)) {
      it.live(`${group}, ${manner}`, () =>
        Effect.gen(function* () {
          const server = yield* serving("memory", (socket) => Effect.ignore(echo(socket)))
          for (const { expected, id, sent } of all) {
            const pieces = piecesOf(Buffer.concat(sent))
            if (pieces !== undefined)
              assert.deepStrictEqual([id, ...(yield* answers(server, pieces))], [id, ...expected])
          }
        }).pipe(Effect.scoped)
      )
    }
    it.live(`${group}, by the frame`, () =>
      Effect.gen(function* () {
        const server = yield* serving("memory", (socket) => Effect.ignore(echo(socket)))
        for (const { expected, id, sent } of all) {
          if (sent.length < 100)
            assert.deepStrictEqual([id, ...(yield* answers(server, sent))], [id, ...expected])
        }
      }).pipe(Effect.scoped)
    )
  }
})
