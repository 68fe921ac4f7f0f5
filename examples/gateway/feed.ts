/**
 * Feeds the gateway with real data over TCP: a year of hourly normals for Seattle (NOAA), as they are in the npm
 * package `vega-datasets`, and shows what the gateway answers about them. `npm run feed`.
 *
 * Environment: `FEED_TCP` (client endpoint description, default `tcp:127.0.0.1:7300`), `FEED_HTTP` (the gateway's
 * URL, default `http://127.0.0.1:7380`).
 */
import { createRequire } from "node:module"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Client } from "spindle/protocol"
import { EndpointDescription } from "spindle/reactor"
import { explain } from "./explain.ts"
import * as Progress from "./Progress.ts"

const station = "seattle"
const metrics = ["pressure", "temperature", "wind"] as const
/** Lines under way without an answer: the gateway may commit as many at once. */
const linesInFlightMax = 2_000

const readings = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // The package exports its code only; its data lie beside that.
  const code = createRequire(import.meta.url).resolve("vega-datasets")
  const file = path.join(path.dirname(code), "../data/seattle-weather-hourly-normals.csv")
  const [, ...rows] = (yield* fs.readFileString(file)).trim().split("\n")
  return rows.flatMap((row) => {
    const [date, ...values] = row.split(",")
    return metrics.map((metric, i) => `${station} ${metric} ${values[i]} ${date}Z`)
  })
})

const feed = Effect.gen(function* () {
  const { http, tcp } = yield* Config.all({
    tcp: Config.String("FEED_TCP").pipe(Config.withDefault("tcp:127.0.0.1:7300")),
    http: Config.String("FEED_HTTP").pipe(Config.withDefault("http://127.0.0.1:7380"))
  })
  const lines = yield* readings
  yield* Console.log(`${lines.length.toLocaleString("en-US")} readings to ${tcp}`)
  const begin = yield* Clock.currentTimeMillis
  const bar = yield* Progress.make(lines.length)
  let refused = 0
  yield* Client.run(
    yield* EndpointDescription.parseClient(tcp),
    Lines.over()(
      Effect.fnUntraced(function* (gateway: Lines.Lines) {
        let sent = 0
        let answered = 0
        while (answered < lines.length) {
          const until = Math.min(lines.length, answered + linesInFlightMax)
          if (sent < until) {
            yield* gateway.transport.send(`${lines.slice(sent, until).join("\r\n")}\r\n`)
            sent = until
          }
          const replies = yield* gateway.receiveBatch
          answered += replies.length
          refused += replies.filter((reply) => reply !== "ok").length
          yield* bar.advance(answered)
        }
      })
    )
  ).pipe(Effect.catchIf(Cause.isDone, () => Effect.fail(new Error("the gateway closed the connection"))))
  const seconds = ((yield* Clock.currentTimeMillis) - begin) / 1_000
  yield* bar.end
  const rate = Math.round(lines.length / seconds).toLocaleString("en-US")
  yield* Console.log(`acknowledged in ${seconds.toFixed(2)} s: ${rate} readings/s, ${refused} refused`)

  for (const query of [
    `/counters`,
    `/latest?station=${station}&metric=temperature`,
    `/readings?station=${station}&metric=wind&from=2010-07-04T12:00:00Z&to=2010-07-04T15:00:00Z`,
    `/aggregate?station=${station}&metric=temperature&from=2010-01-01T00:00:00Z&to=2010-01-08T00:00:00Z&bucket=1d&fn=avg`
  ]) {
    const answer = yield* Effect.flatMap(HttpClient.get(`${http}${query}`), (response) => response.text)
    yield* Console.log(`\ncurl '${http}${query}'\n${answer}`)
  }
})

NodeRuntime.runMain(
  feed.pipe(
    explain("The feed stopped"),
    Effect.provide(Layer.mergeAll(NodeReactor.layer, NodeServices.layer, NodeHttpClient.layerUndici))
  ),
  { disableErrorReporting: true }
)
