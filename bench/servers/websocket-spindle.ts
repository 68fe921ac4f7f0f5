/** Ours: echoes; at `fan N` it sends N messages to all, at `stuff` 13 MB to who asks, as it takes them. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { HttpServer } from "spindle/http"
import { NodeReactor } from "spindle/node"
import { Endpoint } from "spindle/reactor"
import { Broadcast, WebSocketServer } from "spindle/websocket"
import { backlog, port, ready } from "./harness.ts"

const news = "x".repeat(100)
const stuff = new Uint8Array(65_536)

const routes = Layer.unwrap(
  Effect.map(Broadcast.make(), (all) =>
    WebSocketServer.route(
      "/",
      Effect.fnUntraced(function* (socket) {
        yield* all.join(socket)
        yield* socket.receiveEach((message) =>
          message === "stuff"
            ? Effect.repeat(socket.send(stuff), { times: 199 })
            : typeof message === "string" && message.startsWith("fan ")
              ? Effect.repeat(all.send(news), { times: Number(message.slice(4)) - 1 })
              : socket.send(message)
        )
      }),
      { pingInterval: Infinity }
    )
  )
)

const Main = HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
  Layer.provideMerge(
    HttpServer.layer(Endpoint.tcp({ port, interface: "127.0.0.1", backlog }), { connectionsMax: 20_000 })
  ),
  Layer.provide(NodeReactor.layer)
)

void Effect.runFork(
  Effect.scoped(
    Effect.flatMap(Layer.build(Main), (context) =>
      Effect.provide(
        Effect.flatMap(EffectHttpServer.HttpServer, ({ address }) => {
          if (NetAddress.isInetAddress(address)) ready(address.port)
          return Effect.never
        }),
        context
      )
    )
  )
)
