/** Raw `node:http`, the yardstick of files: `pipeline` of a read stream, whose length `stat` has told. */
import { createReadStream, stat } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream"
import { filesFolder, hello, lengthOf } from "./answers.ts"
import { backlog, port, ready } from "./harness.ts"

const text = (response: ServerResponse, type: string, body: string): void => {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body)
}

const file = (response: ServerResponse, name: string): void => {
  const path = `${filesFolder}/${name}`
  stat(path, (error, stats) => {
    if (error !== null) return void response.writeHead(404).end()
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": stats.size })
    pipeline(createReadStream(path), response, () => {})
  })
}

const server = createServer((request, response) => {
  const { url = "/" } = request
  if (url === "/hello") return text(response, "application/json", JSON.stringify(hello))
  if (url.startsWith("/files/")) return file(response, url.slice("/files/".length))
  const pieces: Array<Buffer> = []
  request.on("data", (piece: Buffer) => pieces.push(piece))
  request.on("end", () => text(response, "text/plain", lengthOf(Buffer.concat(pieces))))
})
server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
