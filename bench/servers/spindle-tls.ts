/** Ours over TLS: `MODE` chooses between `receiveEach` and a loop of `receive`. */
import { Endpoint } from "spindle/reactor"
import { identity } from "./identity.ts"
import { backlog, port } from "./harness.ts"
import { each, pull } from "./echo.ts"
import { serveOn } from "./spindle.ts"

const endpoint = Endpoint.tls({
  port,
  interface: "127.0.0.1",
  backlog,
  tls: { identity: identity() }
})

serveOn(endpoint, process.env.MODE === "receive" ? pull : each)
