/** Others: the `ws` package, Node's own client, Effect's client and server. */
import * as http from "node:http"
import type * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as ws from "ws"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import { toSocket, type Message } from "../../src/websocket/WebSocket.ts"
import { inetOf } from "../support/endpoints.ts"
import { echo, serving } from "./webSocketKit.ts"

const urlOf = ({ bound }: Effect.Success<ReturnType<typeof serving>>): string =>
  `ws://127.0.0.1:${inetOf(bound.address).port}/`

const messages: ReadonlyArray<Message> = [
  "",
  "grüße",
  "x".repeat(200_000),
  Uint8Array.from({ length: 300 }, (_, i) => i)
]
const plain = (message: Message) => (typeof message === "string" ? message : [...message])

/** Sends all of them to an echo, and closes; gives what came. */
const conversation = (socket: ws.WebSocket | globalThis.WebSocket) =>
  Effect.callback<{ readonly came: ReadonlyArray<Message>; readonly code: number; readonly reason: string }>(
    (resume) => {
      const came: Array<Message> = []
      socket.binaryType = "arraybuffer"
      socket.addEventListener("open", (() => {
        for (const message of messages) socket.send(message as string)
      }) as never)
      socket.addEventListener("message", (({ data }: { readonly data: string | ArrayBuffer }) => {
        came.push(typeof data === "string" ? data : new Uint8Array(data))
        if (came.length === messages.length) socket.close(4_000, "done")
      }) as never)
      socket.addEventListener("close", (({
        code,
        reason
      }: {
        readonly code: number
        readonly reason: string
      }) => resume(Effect.succeed({ came, code, reason }))) as never)
    }
  )

const check = ({ came, code, reason }: Effect.Success<ReturnType<typeof conversation>>) => {
  assert.deepStrictEqual(came.map(plain), messages.map(plain))
  assert.deepStrictEqual([code, reason], [4_000, ""])
}

describe("our server", () => {
  for (const compression of [false, true, { contextTakeover: true, thresholdBytes: 0 }]) {
    it.live(`and the ws package, compression ${JSON.stringify(compression)}`, () =>
      Effect.gen(function* () {
        const server = yield* serving("tcp", echo, { compression, protocols: ["b"] })
        const socket = new ws.WebSocket(urlOf(server), ["a", "b"], { perMessageDeflate: true })
        check(yield* conversation(socket))
        assert.strictEqual(socket.protocol, "b")
        assert.strictEqual(socket.extensions.includes("permessage-deflate"), compression !== false)
      }).pipe(Effect.scoped)
    )
    it.live(`and Node's own client, compression ${JSON.stringify(compression)}`, () =>
      Effect.gen(function* () {
        const server = yield* serving("tcp", echo, { compression })
        check(yield* conversation(new globalThis.WebSocket(urlOf(server))))
      }).pipe(Effect.scoped)
    )
  }

  it.live("and Effect's client", () =>
    Effect.gen(function* () {
      const server = yield* serving("tcp", echo)
      const socket = yield* Effect.provide(
        Socket.makeWebSocket(urlOf(server)),
        NodeSocket.layerWebSocketConstructor
      )
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      yield* writer.write("hello")
      assert.deepStrictEqual(yield* pull, ["hello"])
      yield* writer.write(new Socket.CloseEvent(4_001, "bye"))
      const error = yield* Effect.flip(pull)
      assert.deepInclude(error.reason, { _tag: "SocketCloseError", code: 4_001 })
    }).pipe(Effect.scoped)
  )
})

/** An echo by the ws package; the server ends with the scope. */
const wsEcho = (options: ws.ServerOptions) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: Effect.Effect<void> }>((resume) => {
      const server = http.createServer()
      const sockets = new ws.WebSocketServer({ ...options, server })
      sockets.on("connection", (socket) => {
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            port: (server.address() as net.AddressInfo).port,
            close: Effect.callback<void>((closed) => {
              for (const socket of sockets.clients) socket.terminate()
              sockets.close()
              server.close(() => closed(Effect.void))
            })
          })
        )
      )
    }),
    ({ close }) => close
  )

describe("our client", () => {
  for (const compression of [false, true, { contextTakeover: true, thresholdBytes: 0 }]) {
    it.live(`and a server of the ws package, compression ${JSON.stringify(compression)}`, () =>
      Effect.gen(function* () {
        const { port } = yield* wsEcho({ perMessageDeflate: true })
        const socket = yield* WebSocketClient.connect(`ws://127.0.0.1:${port}/`, { compression })
        assert.strictEqual(socket.isCompressed, compression !== false)
        for (const message of messages) yield* socket.send(message)
        for (const message of messages) assert.deepStrictEqual(plain(yield* socket.receive), plain(message))
        yield* socket.pingPong
        yield* socket.close(4_003)
        assert.deepInclude(yield* socket.closed, { code: 4_003, isClean: true })
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
    )
  }

  it.live("as a socket of Effect's", () =>
    Effect.gen(function* () {
      const { port } = yield* wsEcho({})
      const socket = toSocket(yield* WebSocketClient.connect(`ws://127.0.0.1:${port}/`))
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      yield* writer.writeAll(["a", "b"])
      assert.deepStrictEqual([...(yield* pull)].at(0), "a")
      yield* writer.write(new Socket.CloseEvent(1_000))
      const codes = yield* Effect.flip(Effect.forever(pull))
      assert.deepInclude(codes.reason, { _tag: "SocketCloseError", code: 1_000 })
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("and a server that refuses", () =>
    Effect.gen(function* () {
      const { port } = yield* wsEcho({
        verifyClient: (_, done) => done(false, 401, "no", { "X-Why": "because" })
      })
      const { reason } = yield* Effect.flip(WebSocketClient.connect(`ws://127.0.0.1:${port}/`))
      assert.deepInclude(reason, { _tag: "Refused", status: 401 })
      assert.strictEqual(reason._tag === "Refused" ? reason.headers["x-why"] : "", "because")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
