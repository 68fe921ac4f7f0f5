/** Ours: Effect's router on `HttpServer`. */
import * as Layer from "effect/Layer"
import { HttpServer } from "spindle/http"
import { NodeReactor } from "spindle/node"
import { Endpoint } from "spindle/reactor"
import { backlog, port } from "./harness.ts"
import { serve } from "./hello.ts"

serve(
  HttpServer.layer(Endpoint.tcp({ port, interface: "127.0.0.1", backlog }), {
    requestsPerConnectionMax: 0
  }).pipe(Layer.provide(NodeReactor.layer))
)
