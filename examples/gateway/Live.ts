/** Readings as they are committed, to whoever listens: server-sent events, which come back with what they missed, and WebSockets. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { ServerSentEvents } from "spindle/http"
import { Broadcast, WebSocketServer } from "spindle/websocket"
import type { Reading } from "./Reading.ts"
import { Store } from "./Store.ts"
import * as Timestamp from "./Timestamp.ts"

export class Live extends Context.Service<
  Live,
  {
    readonly events: ServerSentEvents.ServerSentEvents
    readonly sockets: Broadcast.Broadcast
  }
>()("examples/gateway/Live") {
  static readonly layer: Layer.Layer<Live> = Layer.effect(
    Live,
    Effect.all({ events: ServerSentEvents.make({ gapEvent: "gap" }), sockets: Broadcast.make() })
  )
}

/** What was committed together is told together. */
const told = (readings: ReadonlyArray<Reading>): string =>
  JSON.stringify(
    readings.map(({ metric, station, time, value }) => ({
      station,
      metric,
      time: Timestamp.format(time),
      value
    }))
  )

/** The store, which tells what it has committed; whoever listens is not waited for. */
export const telling = <E, R>(store: Layer.Layer<Store, E, R>): Layer.Layer<Store, E, R | Live> =>
  Layer.effect(
    Store,
    Effect.gen(function* () {
      const { events, sockets } = yield* Live
      const inner = yield* Store
      const tell = (readings: ReadonlyArray<Reading>) =>
        Effect.suspend(() => {
          const data = told(readings)
          return Effect.andThen(Effect.orDie(events.publish({ data })), sockets.send(data))
        })
      return {
        ...inner,
        append: (reading) => Effect.tap(inner.append(reading), () => tell([reading])),
        appendAll: (readings) => Effect.tap(inner.appendAll(readings), () => tell(readings))
      }
    })
  ).pipe(Layer.provide(store))

/** `/live`, and `/live/socket` as a WebSocket: arrays of readings, in JSON. */
export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter | Live> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { events, sockets } = yield* Live
    yield* router.add("GET", "/live", events.respond)
    yield* router.add(
      "GET",
      "/live/socket",
      // What it says is not listened to.
      WebSocketServer.handler((socket) =>
        Effect.andThen(
          sockets.join(socket),
          socket.receiveEach(() => Effect.void)
        )
      )
    )
  })
)
