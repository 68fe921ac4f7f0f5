/** Effect's `NodeHttpServer`, whose WebSockets are those of the `ws` package: echoes; at `fan N` it sends N messages to all. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Socket from "effect/socket/Socket"
import { backlog, port } from "./harness.ts"
import { launch } from "./site.ts"

const news = "x".repeat(100)
const all = new Set<Socket.Writer>()

const converse = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const { pull } = yield* socket.reader
    const writer = yield* socket.writer
    yield* Effect.acquireRelease(
      Effect.sync(() => all.add(writer)),
      () => Effect.sync(() => all.delete(writer))
    )
    for (;;) {
      const messages = yield* pull
      const [first] = messages
      if (typeof first !== "string" || !first.startsWith("fan ")) yield* writer.writeAll(messages)
      else {
        for (let left = Number(first.slice(4)); left > 0; left--)
          for (const one of all) yield* one.write(news)
      }
    }
  }).pipe(Effect.scoped, Effect.ignore)

launch(
  NodeHttpServer.layerServer(() => createServer(), { port, host: "127.0.0.1", backlog }),
  HttpRouter.add(
    "GET",
    "/",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest
      yield* converse(yield* Effect.orDie(request.upgrade))
      return HttpServerResponse.empty()
    })
  )
)
