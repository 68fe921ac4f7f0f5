/** Effect's own: the same application on `NodeHttpServer`. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { backlog, port } from "./harness.ts"
import { serve } from "./hello.ts"

serve(NodeHttpServer.layerServer(() => createServer(), { port, host: "127.0.0.1", backlog }))
