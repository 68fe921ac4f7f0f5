/** `proxy.ts` in front of other examples and servers of Node's, with `nc`, `curl` and plain sockets. */
import * as http from "node:http"
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { curl, describePeer, netcat } from "../support/peers.ts"
import { connect, readAll, reads, start, stops } from "./start.ts"

const file = "proxy.ts"

/** A server of Node's, until the scope ends. */
const target = (server: net.Server) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Server>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => `tcp:127.0.0.1:${(server.address() as net.AddressInfo).port}`
  )

const sockets = (onSocket: (socket: net.Socket) => void) =>
  target(net.createServer({ allowHalfOpen: true }, (socket) => void onSocket(socket.on("error", () => {}))))

const front = (TARGET: string) => start(file, { env: { TARGET } })

describe("proxy.ts", () => {
  describePeer(netcat, (nc) => {
    it.live("forwards to another example, and a half-close with it", () =>
      Effect.gen(function* () {
        const echo = yield* start("line-echo.ts")
        const { child, port } = yield* front(`tcp:127.0.0.1:${echo.port}`)
        const { stdout } = yield* Child.run(nc, ["-N", "127.0.0.1", port], { input: "a\nb\n" })
        assert.strictEqual(stdout, "a\nb\n")
        yield* stops(child, 1_000)
        yield* stops(echo.child, 1_000)
      })
    )
  })

  describePeer(curl, (command) => {
    it.live("a page of 20 MB comes through whole", () =>
      Effect.gen(function* () {
        const page = Buffer.alloc(20_000_000, "0123456789abcdef")
        const { port } = yield* front(yield* target(http.createServer((_, response) => response.end(page))))
        const { stdout } = yield* Child.run(command, [
          "-sS",
          "--max-time",
          "10",
          "--noproxy",
          "*",
          "-o",
          "/dev/null",
          "-w",
          "%{size_download}",
          `http://127.0.0.1:${port}/`
        ])
        assert.strictEqual(stdout, String(page.length))
      })
    )
  })

  it.live("the answer to a client that has ended its side arrives", () =>
    Effect.gen(function* () {
      const question = yield* sockets((socket) => {
        let text = ""
        socket.on("data", (bytes: Buffer) => (text += bytes.toString()))
        socket.on("end", () => socket.end(`you said ${text}`))
      })
      const { port } = yield* front(question)
      const client = yield* connect(port)
      client.end("all of it")
      assert.strictEqual(yield* readAll(client), "you said all of it")
    })
  )

  it.live("a reset of either side resets the other, and a target that is not there resets the client", () =>
    Effect.gen(function* () {
      const errorOf = (socket: net.Socket) =>
        Effect.callback<string>((resume) => {
          const codeOf = (error: NodeJS.ErrnoException) => Effect.succeed(error.code ?? "")
          // It may have come with the connection.
          if (socket.errored !== null) return resume(codeOf(socket.errored))
          socket.resume()
          socket.once("error", (error) => resume(codeOf(error)))
          socket.once("end", () => resume(Effect.succeed("end")))
        })
      const resetting = yield* front(
        yield* sockets((socket) => void socket.once("data", () => socket.resetAndDestroy()))
      )
      const client = yield* connect(resetting.port)
      client.write("x")
      assert.strictEqual(yield* errorOf(client), "ECONNRESET")

      let accepted: (socket: net.Socket) => void = () => {}
      const lasting = yield* front(yield* sockets((socket) => accepted(socket)))
      const arrived = Effect.callback<net.Socket>((resume) => {
        accepted = (socket) => resume(Effect.succeed(socket))
      })
      const [server, gone] = yield* Effect.all([arrived, connect(lasting.port)], { concurrency: 2 })
      gone.resetAndDestroy()
      assert.strictEqual(yield* errorOf(server), "ECONNRESET")

      const nowhere = yield* front("tcp:127.0.0.1:1")
      assert.strictEqual(yield* errorOf(yield* connect(nowhere.port)), "ECONNRESET")
      // The others go on.
      const [next, other] = yield* Effect.all([arrived, connect(lasting.port)], { concurrency: 2 })
      next.write("still here")
      yield* reads(other, /still here/)
      next.destroy()
    })
  )
})
