/**
 * `node --expose-gc --conditions=source idleProgram.ts`: bytes of heap for each WebSocket that does nothing, the client's socket
 * included: of a route of ours as it comes, and of the `ws` package on `node:http`. Prints a line of JSON.
 */
import * as http from "node:http"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import { WebSocketServer as WsServer } from "ws"
import { inetOf } from "../support/endpoints.ts"
import { echo, handshake, serving } from "./webSocketKit.ts"

const many = 400

const connect = (port: number): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1" }, () => socket.write(handshake()))
    socket.on("error", reject)
    socket.once("data", () => resolve(socket))
  })

const heapUsed = async (): Promise<number> => {
  for (let turn = 0; turn < 4; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

const perSocket = async (port: number): Promise<number> => {
  // What is made once.
  for (let i = 0; i < 20; i++) (await connect(port)).destroy()
  const before = await heapUsed()
  const sockets: Array<net.Socket> = []
  while (sockets.length < many) sockets.push(await connect(port))
  const after = await heapUsed()
  for (const socket of sockets) socket.destroy()
  return Math.round((after - before) / many)
}

const ofWs = async (): Promise<number> => {
  const server = http.createServer()
  new WsServer({ server }).on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const bytes = await perSocket((server.address() as net.AddressInfo).port)
  server.close()
  return bytes
}

const ofOurs = Effect.gen(function* () {
  const { bound } = yield* serving("tcp", echo)
  return yield* Effect.promise(() => perSocket(inetOf(bound.address).port))
}).pipe(Effect.scoped)

const ws = await ofWs()
const ours = await Effect.runPromise(ofOurs)
process.stdout.write(`${JSON.stringify({ ws, ours })}\n`)
process.exit(0)
