/**
 * `node --expose-gc --conditions=source memoryProgram.ts KIND`: what open WebSockets keep, by themselves: a test's own process
 * watches what is made in it, and so keeps it. Prints a line of JSON.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type * as Layer from "effect/Layer"
import type { NodeHttpExchange } from "../../src/node/NodeHttpExchange.ts"
import type { NodeHttpRequest } from "../../src/node/NodeHttpRequest.ts"
import * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"
import { echo, type Kind, servingRoutes } from "./webSocketKit.ts"

const many = 8

/** What was told, and how much of it is still there. */
class Watched {
  readonly counts: Record<string, number> = {}
  private readonly registry = new FinalizationRegistry<string>((name) => this.counts[name]!--)
  seen = 0

  watch(name: string, object: object): void {
    this.registry.register(object, name)
    this.counts[name] = (this.counts[name] ?? 0) + 1
    this.seen++
  }

  /** Some are let go of by callbacks of the event loop; and what was last of its kind, Node may remember. */
  readonly kept = Effect.promise(async () => {
    const names = () => Object.keys(this.counts).filter((name) => this.counts[name]! > 1)
    for (let turn = 0; turn < 50 && names().length > 0; turn++) {
      globalThis.gc?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return names()
  })
}

const program = (kind: Kind) =>
  Effect.gen(function* () {
    const watched = new Watched()
    const told = new Set<string>()
    const handler = WebSocketServer.handler((socket) =>
      Effect.flatMap(HttpServerRequest, (request) => {
        told.add(`${request.method} ${request.url} ${request.headers["cookie"]}`)
        return echo(socket)
      })
    )
    const route = HttpRouter.add(
      "GET",
      "/:room",
      Effect.flatMap(HttpServerRequest, (request) => {
        const exchange = (request as NodeHttpRequest).exchange as NodeHttpExchange
        watched.watch("exchange", exchange)
        watched.watch("request", exchange.request)
        watched.watch("response", exchange.response)
        watched.watch("connection", exchange.host)
        watched.watch("body", exchange.body)
        return handler
      })
    )
    const { connect } = yield* servingRoutes(kind, route as Layer.Layer<never, never, HttpRouter.HttpRouter>)
    const connecting = connect("/room?a=b", { headers: { Cookie: "a=1" } })
    const sockets = yield* Effect.all(Array.from({ length: many }, () => connecting))
    const kept = yield* watched.kept
    for (const socket of sockets) {
      yield* socket.send("still there")
      yield* socket.receive
    }
    return { seen: watched.seen / many, kept, told: [...told] }
  }).pipe(Effect.scoped)

process.stdout.write(`${JSON.stringify(await Effect.runPromise(program(process.argv[2] as Kind)))}\n`)
