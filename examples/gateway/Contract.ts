/** What the gateway answers, as data: for its OpenAPI document, and for clients that are derived from it. `HttpApi` answers. */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"

const refusal = (status: number, description: string) =>
  Schema.Struct({ error: Schema.String }).annotate({ httpApiStatus: status, description })

const refusals = [
  refusal(400, "a parameter is missing, unknown, or not what it must be"),
  refusal(503, "the store cannot answer now")
]

const described = (description: string) => Schema.String.annotate({ description })

const series = {
  station: described("1 to 64 of A-Z a-z 0-9 _ . : -"),
  metric: described("1 to 64 of A-Z a-z 0-9 _ . : -")
}

const range = {
  ...series,
  from: Schema.optionalKey(described("the first time that counts: ISO 8601, or milliseconds since 1970")),
  to: Schema.optionalKey(described("the first time that does not count any more")),
  limit: Schema.optionalKey(described("1 to 100000, the earliest ones; 1000 if it is not said"))
}

const point = {
  time: described("ISO 8601, UTC"),
  value: Schema.NullOr(Schema.Finite).annotate({ description: "null: beyond the numbers" })
}

const points = Schema.Array(Schema.Struct(point))

const readings = HttpApiGroup.make("readings", { topLevel: true }).add(
  HttpApiEndpoint.get("latest", "/latest", {
    query: series,
    success: Schema.Struct({ ...series, ...point }),
    error: [...refusals, refusal(404, "there is no reading of this metric from this station")]
  }),
  HttpApiEndpoint.get("readings", "/readings", { query: range, success: points, error: refusals }),
  HttpApiEndpoint.get("aggregate", "/aggregate", {
    query: {
      ...range,
      bucket: described("1 to 9999 and s, m, h, d or w: 15m, 1d"),
      fn: Schema.Literals(["avg", "min", "max", "count"])
    },
    success: points,
    error: refusals
  }),
  HttpApiEndpoint.get("counters", "/counters", {
    success: Schema.Struct({ accepted: Schema.Int, rejected: Schema.Int, connections: Schema.Int })
  })
)

export const Contract = HttpApi.make("gateway")
  .add(readings)
  .annotateMerge(
    OpenApi.annotations({
      title: "Telemetry gateway",
      version: "1",
      description: "Readings, as they came in."
    })
  )
