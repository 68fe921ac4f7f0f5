/** Effect's own `NodeHttpServer`; on `node:http2` where `HTTP2` is set. */
import { createServer } from "node:http"
import { createSecureServer } from "node:http2"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { filesFolder } from "./answers.ts"
import { backlog, port } from "./harness.ts"
import { identity } from "./identity.ts"
import { serve } from "./site.ts"

const server = () => {
  if (process.env.HTTP2 === undefined) return createServer()
  const { certificate, privateKey } = identity()
  return createSecureServer({ cert: certificate, key: privateKey })
}

const files = Layer.unwrap(
  Effect.map(HttpPlatform.HttpPlatform, (platform) =>
    HttpRouter.add(
      "GET",
      "/files/:name",
      Effect.flatMap(HttpRouter.params, ({ name }) =>
        HttpServerResponse.file(`${filesFolder}/${name}`).pipe(
          Effect.provideService(HttpPlatform.HttpPlatform, platform),
          Effect.orDie
        )
      )
    )
  )
)

serve(
  NodeHttpServer.layerServer(server, { port, host: "127.0.0.1", backlog }),
  Layer.provide(files, NodeHttpServer.layerHttpServices)
)
