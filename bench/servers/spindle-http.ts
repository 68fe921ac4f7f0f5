/** Ours: Effect's router on `HttpServer`, files by `StaticFiles`; HTTP/2 over TLS where `HTTP2` is set. */
import * as Layer from "effect/Layer"
import { HttpServer, StaticFiles } from "spindle/http"
import { NodeReactor } from "spindle/node"
import { Endpoint } from "spindle/reactor"
import { filesFolder } from "./answers.ts"
import { backlog, port } from "./harness.ts"
import { identity } from "./identity.ts"
import { serve } from "./site.ts"

const options = { port, interface: "127.0.0.1", backlog }
const endpoint =
  process.env.HTTP2 === undefined
    ? Endpoint.tcp(options)
    : Endpoint.tls({ ...options, tls: { identity: identity() } })

serve(
  HttpServer.layer(endpoint, { requestsPerConnectionMax: 0 }).pipe(Layer.provide(NodeReactor.layer)),
  StaticFiles.layer({ root: filesFolder, prefix: "/files" })
)
