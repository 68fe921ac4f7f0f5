/**
 * What the gateway answers over HTTP, all of it JSON, to GET and HEAD:
 *
 * | path | answer |
 * |---|---|
 * | `/latest` | `{"station":"a","metric":"b","time":"2010-01-01T01:00:00.000Z","value":4}`, or 404 |
 * | `/readings` | `[{"time":"2010-01-01T01:00:00.000Z","value":4}, ...]`, ascending |
 * | `/aggregate` | the same, one element for each bucket that has readings, `time` being its beginning |
 * | `/counters` | `{"accepted":1,"rejected":0,"connections":1}` |
 *
 * The parameters are those of `Query`. Every refusal is `{"error":"..."}`: 400 for a bad query, 404 for an unknown
 * path, 405 for another method, 503 while the store cannot answer, 500 for a fault of the gateway.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { isHttpServerError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Counters } from "./Counters.ts"
import * as Query from "./Query.ts"
import type { QueryError } from "./QueryError.ts"
import { Store } from "./Store.ts"
import type { Point } from "./Store.ts"
import type { StoreError } from "./StoreError.ts"
import * as Timestamp from "./Timestamp.ts"

const contentType = "application/json"

const headers = { "cache-control": "no-store" }

const respond = (json: string, status = 200) =>
  HttpServerResponse.text(json, { status, contentType, headers })

const refuse = (status: number, error: string) => respond(JSON.stringify({ error }), status)

/** The points without the brackets around. JSON has no infinity: the average of an overflow is null. */
const pointsJson = (points: ReadonlyArray<Point>): string =>
  points
    .map(({ time, value }) => `{"time":"${Timestamp.format(time)}","value":${JSON.stringify(value)}}`)
    .join(",")

const counters = (counters: Counters["Service"]) =>
  Effect.fnUntraced(function* (parameters: URLSearchParams) {
    yield* Effect.fromResult(Query.counters(parameters))
    const { accepted, rejected, connections } = counters
    return respond(JSON.stringify({ accepted, rejected, connections }))
  })

const latest = (store: Store["Service"]) =>
  Effect.fnUntraced(function* (parameters: URLSearchParams) {
    const { station, metric } = yield* Effect.fromResult(Query.latest(parameters))
    const point = yield* store.latest({ station, metric })
    if (Option.isNone(point)) return refuse(404, `there is no reading of ${metric} from ${station}`)
    const { time, value } = point.value
    return respond(JSON.stringify({ station, metric, time: Timestamp.format(time), value }))
  })

const readings = (store: Store["Service"]) =>
  Effect.fnUntraced(function* (parameters: URLSearchParams) {
    const query = yield* Effect.fromResult(Query.readings(parameters))
    // The first page before the status line: most answers are whole with it, and a store that fails is still a 503.
    const first = yield* store.page(query)
    if (Option.isNone(first.next)) return respond(`[${pointsJson(first.points)}]`)
    // The rest as fast as the client takes it, a page in memory at a time. A failure in the midst breaks the connection
    // off, so that the client cannot take the part for the whole.
    const rest = Stream.paginate(first.next.value, (query) =>
      // The yield lets others have their turn, for a client that takes everything at once.
      Effect.map(Effect.andThen(Effect.yieldNow, store.page(query)), ({ points, next }) => {
        const json = points.length === 0 ? "" : `,${pointsJson(points)}`
        return [[Option.isNone(next) ? `${json}]` : json], next] as const
      })
    )
    const body = Stream.concat(Stream.succeed(`[${pointsJson(first.points)}`), rest)
    return HttpServerResponse.stream(Stream.encodeText(body), { contentType, headers })
  })

const aggregate = (store: Store["Service"]) =>
  Effect.fnUntraced(function* (parameters: URLSearchParams) {
    const query = yield* Effect.fromResult(Query.aggregate(parameters))
    return respond(`[${pointsJson(yield* store.aggregate(query))}]`)
  })

type Answer = (
  parameters: URLSearchParams
) => Effect.Effect<HttpServerResponse.HttpServerResponse, QueryError | StoreError>

const methodNotAllowed = HttpServerResponse.setHeader(
  refuse(405, "only GET and HEAD are allowed"),
  "allow",
  "GET, HEAD"
)

const handler = (answer: Answer) => (request: HttpServerRequest) => {
  if (request.method !== "GET" && request.method !== "HEAD") return Effect.succeed(methodNotAllowed)
  const query = request.url.indexOf("?")
  return answer(new URLSearchParams(query === -1 ? "" : request.url.slice(query))).pipe(
    Effect.catchTags({
      QueryError: (error) => Effect.succeed(refuse(400, error.message)),
      StoreError: (error) => Effect.as(Effect.logError(error), refuse(503, "the store cannot answer now"))
    }),
    // What went wrong in here is for the log, not for the client.
    Effect.catchDefect((defect) => Effect.as(Effect.logError(defect), refuse(500, "internal error")))
  )
}

const isRouteNotFound = (error: unknown): boolean =>
  isHttpServerError(error) && error.reason._tag === "RouteNotFound"

/** The routes, for `HttpRouter.serve` or `HttpRouter.toWebHandler`; beside others, if need be. */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Store | Counters> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const store = yield* Store
    const answers = {
      "/latest": latest(store),
      "/readings": readings(store),
      "/aggregate": aggregate(store),
      "/counters": counters(yield* Counters)
    } as const
    const paths = Object.keys(answers) as Array<keyof typeof answers>
    for (const path of paths) yield* router.add("*", path, handler(answers[path]))

    const notFound = refuse(404, `there is no such path: try ${paths.join(", ")}`)
    yield* router.addGlobalMiddleware((app) =>
      app.pipe(
        Effect.catch((error) => (isRouteNotFound(error) ? Effect.succeed(notFound) : Effect.fail(error)))
      )
    )
  })
)
