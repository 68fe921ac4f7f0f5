/** Everything that is served: the API, its OpenAPI document, and a page that shows it without asking any other server. */
import * as EffectHttpServer from "effect/http/HttpServer"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSwagger from "effect/http-api/HttpApiSwagger"
import * as Layer from "effect/Layer"
import * as Doors from "./Doors.ts"
import { InventoryApi } from "./InventoryApi.ts"
import { InventoryHandlers } from "./InventoryHandlers.ts"

export const routes = (options: Doors.Options) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(InventoryApi, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide(InventoryHandlers),
      Layer.provide(Doors.layer(options)),
      Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
    ),
    HttpApiSwagger.layer(InventoryApi, { path: "/docs" })
  ).pipe(Layer.provide(EffectHttpServer.layerServices))
