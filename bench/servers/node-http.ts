/** `node:http` by itself, which knows no routes. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { backlog, port, ready } from "./harness.ts"
import { hello } from "./hello.ts"

const server = createServer((_, response) => {
  const body = JSON.stringify(hello)
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body)
})
server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
