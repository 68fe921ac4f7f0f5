/** `/openapi.json`, and a page at `/docs` that shows it without asking any other server. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiSwagger from "effect/http-api/HttpApiSwagger"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Layer from "effect/Layer"
import { Contract } from "./Contract.ts"

const document = HttpRouter.add(
  "GET",
  "/openapi.json",
  Effect.sync(() => HttpServerResponse.jsonUnsafe(OpenApi.fromApi(Contract)))
)

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.mergeAll(
  document,
  HttpApiSwagger.layer(Contract, { path: "/docs" })
)
