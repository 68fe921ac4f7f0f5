import * as net from "node:net"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"

// Listens with the shortest backlog and blocks its thread, so that nothing is ever accepted.
const script = `
  const { parentPort } = require("node:worker_threads")
  const net = require("node:net")
  const server = net.createServer()
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
`

// Linux completes backlog + 1 connections on its own, and drops the SYN of whoever comes next.
const completed = 2

/** A loopback port where connecting is neither answered nor refused. */
export const unansweredPort = Effect.gen(function* () {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(script, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const port = yield* Effect.callback<number>((resume) => {
    worker.once("message", (port: number) => resume(Effect.succeed(port)))
  })
  yield* Effect.forEach(Array.from({ length: completed }), () => filler(port), { concurrency: "unbounded" })
  return port
})

const filler = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
