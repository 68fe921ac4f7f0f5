/** Fastify as it comes, without a logger; on `node:http2` where `HTTP2` is set. */
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { fastify, type FastifyInstance } from "fastify"
import { filesFolder, hello, lengthOf } from "./answers.ts"
import { backlog, port, ready } from "./harness.ts"
import { identity } from "./identity.ts"

const secure = (): FastifyInstance => {
  const { certificate, privateKey } = identity()
  return fastify({ http2: true, https: { cert: certificate, key: privateKey } }) as unknown as FastifyInstance
}

const server = process.env.HTTP2 === undefined ? fastify() : secure()

server.get("/hello", () => hello)

server.get<{ readonly Params: { readonly name: string } }>("/files/:name", async ({ params }, reply) => {
  const path = `${filesFolder}/${params.name}`
  const { size } = await stat(path)
  return reply
    .header("content-type", "application/octet-stream")
    .header("content-length", size)
    .send(createReadStream(path))
})

server.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_, body, done) =>
  done(null, body)
)
server.post("/upload", ({ body }, reply) => reply.type("text/plain").send(lengthOf(body as Buffer)))

await server.listen({ port, host: "127.0.0.1", backlog })
ready((server.server.address() as AddressInfo).port)
