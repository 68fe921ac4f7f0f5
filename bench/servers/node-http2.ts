/** Raw `node:http2`, by its own interface of streams. */
import { createSecureServer, type ServerHttp2Stream } from "node:http2"
import type { AddressInfo } from "node:net"
import { hello } from "./answers.ts"
import { backlog, port, ready } from "./harness.ts"
import { identity } from "./identity.ts"

const { certificate, privateKey } = identity()
const server = createSecureServer({ cert: certificate, key: privateKey })
server.on("stream", (stream: ServerHttp2Stream) => {
  const body = JSON.stringify(hello)
  stream.respond({
    ":status": 200,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body)
  })
  stream.end(body)
})
server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
