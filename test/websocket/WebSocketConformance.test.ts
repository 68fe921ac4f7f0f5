/** RFC 6455, by the cases of Autobahn, to both sides: each whole, by the frame, and most of them by the byte. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import { acceptanceOf } from "../../src/node/NodeWebSocketHandshake.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import { until } from "../http/httpKit.ts"
import { type Case, casesOf } from "./autobahnCases.ts"
import { shown } from "./frames.ts"
import { echo, handshake, serving } from "./webSocketKit.ts"

const everything = (transport: Transport): Effect.Effect<Uint8Array> =>
  Effect.suspend(() => {
    const pieces: Array<Uint8Array> = []
    return Effect.map(
      Effect.exit(transport.receiveEach((bytes) => Effect.sync(() => void pieces.push(bytes)))),
      () => Buffer.concat(pieces)
    )
  })

/** More takes too long by the byte. */
const bytesMax = 2_000

/** How the bytes of a case may come; undefined: it does not come so. */
const manners: Readonly<
  Record<string, (sent: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array> | undefined>
> = {
  whole: (sent) => [Buffer.concat(sent)],
  "by the byte": (sent) => {
    const all = Buffer.concat(sent)
    return all.length > bytesMax ? undefined : Array.from(all, (byte) => Uint8Array.of(byte))
  },
  "by the frame": (sent) => (sent.length < 100 ? sent : undefined)
}

/** Sends it all, and gives what came back until the end. */
const answerTo = (transport: Transport, pieces: ReadonlyArray<Uint8Array>) =>
  Effect.andThen(
    Effect.forkChild(
      Effect.ignore(Effect.forEach(pieces, (piece) => transport.send(Uint8Array.from(piece)))),
      { startImmediately: true }
    ),
    Effect.map(everything(transport), shown)
  )

/** What one side of ours, echoing, answers to these bytes. */
type Subject = (pieces: ReadonlyArray<Uint8Array>) => Effect.Effect<ReadonlyArray<string>, unknown>

const ourServer: Effect.Effect<Subject, unknown, Scope.Scope> = Effect.map(
  serving("memory", (socket) => Effect.ignore(echo(socket))),
  (server) => (pieces) =>
    Effect.gen(function* () {
      const transport = yield* server.transport
      yield* transport.send(handshake())
      yield* until(transport, /\r\n\r\n$/)
      return yield* answerTo(transport, pieces)
    }).pipe(Effect.scoped)
)

const ourClient: Effect.Effect<Subject> = Effect.succeed((pieces) =>
  Effect.gen(function* () {
    const answered = yield* Deferred.make<ReadonlyArray<string>>()
    yield* Server.make(Endpoint.tcp({ port: 80 }), (transport: Transport) =>
      Effect.gen(function* () {
        const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(yield* until(transport, /\r\n\r\n$/))?.[1] ?? ""
        yield* transport.send(
          `HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptanceOf(key)}\r\n\r\n`
        )
        yield* Deferred.succeed(answered, yield* answerTo(transport, pieces))
      })
    )
    const socket = yield* WebSocketClient.connect("ws://localhost/")
    yield* Effect.ignore(echo(socket))
    return yield* Deferred.await(answered)
  }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()))
)

const groupsOf = (cases: ReadonlyArray<Case>): ReadonlyMap<string, ReadonlyArray<Case>> => {
  const groups = new Map<string, Array<Case>>()
  for (const one of cases) {
    const group = /^\d+/.exec(one.id)?.[0] ?? "others"
    groups.set(group, [...(groups.get(group) ?? []), one])
  }
  return groups
}

const sides = [
  ["our server", "client", ourServer],
  ["our client", "server", ourClient]
] as const

for (const [name, sender, ours] of sides) {
  describe(`the cases of Autobahn, to ${name}`, () => {
    for (const [group, all] of groupsOf(casesOf(sender))) {
      for (const [manner, piecesOf] of Object.entries(manners)) {
        it.live(`${group}, ${manner}`, () =>
          Effect.gen(function* () {
            const subject = yield* ours
            for (const { expected, id, sent } of all) {
              const pieces = piecesOf(sent)
              if (pieces !== undefined)
                assert.deepStrictEqual([id, ...(yield* subject(pieces))], [id, ...expected])
            }
          }).pipe(Effect.scoped)
        )
      }
    }
  })
}
