/** TLS that ends below TLS. */
import type * as net from "node:net"
import * as nodeTls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { TransportError } from "../../src/reactor/ReactorError.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { plainSocket } from "./sockets.ts"
import { authority, connect, live, local, serve, server } from "./tlsEcho.ts"

describe.skipIf(!certificates.available)(
  "ends without close_notify are cuts: what came is there, then it is a Reset",
  () => {
    const cut = { tag: "Reset", errno: "ERR_SSL_UNEXPECTED_EOF_WHILE_READING" } as const
    /** What was received, and how that ended. */
    const heardBy = (transport: Transport) =>
      Effect.gen(function* () {
        let bytes = 0
        // Slower than the bytes come: input waits at every place where it can.
        const exit = yield* Effect.exit(
          transport.receiveEach((piece) =>
            Effect.andThen(
              Effect.sync(() => {
                bytes += piece.length
              }),
              Effect.sleep("1 millis")
            )
          )
        )
        const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        const reason = failure instanceof TransportError ? failure.reason : undefined
        return { bytes, tag: reason?._tag, errno: reason?.errno }
      })
    const ends = {
      "close_notify and the end of TCP": (secure: nodeTls.TLSSocket) => secure.end(),
      "the end of TCP": (_: nodeTls.TLSSocket, raw: net.Socket) => raw.end(),
      "the end of TCP within a record": (_: nodeTls.TLSSocket, raw: net.Socket) =>
        raw.end(Buffer.of(23, 3, 3, 0, 40, 1, 2, 3))
    } as const
    const clean: keyof typeof ends = "close_notify and the end of TCP"
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      for (const length of [0, 3, 1_000_000]) {
        for (const [how, end] of Object.entries(ends)) {
          const expected =
            how === clean ? { bytes: length, tag: undefined, errno: undefined } : { bytes: length, ...cut }
          live(
            `${version}, ${length} bytes, ${how}`,
            Effect.gen(function* () {
              const heard = yield* Deferred.make<Effect.Success<ReturnType<typeof heardBy>>>()
              const { port } = yield* serve({}, (transport) =>
                Effect.flatMap(heardBy(transport), (all) => Deferred.succeed(heard, all))
              )
              const raw = yield* plainSocket(port)
              const secure = nodeTls.connect({
                socket: raw,
                ca: authority.certificate,
                servername: "localhost",
                maxVersion: version
              })
              secure.on("error", () => {})
              yield* Effect.callback<void>((resume) => {
                secure.once("secureConnect", () => setImmediate(resume, Effect.void))
              })
              if (length > 0) {
                yield* Effect.callback<void>((resume) => {
                  secure.write(Buffer.alloc(length), () => resume(Effect.void))
                })
              }
              end(secure, raw)
              assert.deepStrictEqual(yield* Deferred.await(heard), expected)
              secure.destroy()
            })
          )
        }
      }
    }

    live(
      "a client hears it too, and after STARTTLS",
      Effect.gen(function* () {
        const sockets: Array<net.Socket> = []
        const listening = nodeTls.createServer({ cert: server.certificate, key: server.privateKey })
        listening.on("connection", (socket: net.Socket) => sockets.push(socket))
        listening.on("secureConnection", (socket) => {
          socket.on("error", () => {})
          socket.write("cut sho", () => sockets.at(-1)!.end())
        })
        yield* Effect.callback<void>((resume) => {
          listening.listen(0, local, () => resume(Effect.void))
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => listening.close()))
        const { port } = listening.address() as net.AddressInfo
        assert.deepStrictEqual(yield* heardBy(yield* connect(port)), { bytes: 7, ...cut })
        const plain = yield* (yield* Reactor).connect(Endpoint.tcpClient({ host: local, port }))
        const tls = { authorities: authority.certificate, serverName: "localhost" }
        const upgraded = yield* plain.startTls({ role: "client", tls })
        assert.deepStrictEqual(yield* heardBy(upgraded), { bytes: 7, ...cut })
      })
    )

    live(
      "within TLS within TLS, it is the inner end that counts",
      Effect.gen(function* () {
        const heard: Array<unknown> = []
        const inner: Tls.ServerOptions = { identity: server }
        const { port } = yield* serve({}, (outer) =>
          Effect.flatMap(outer.startTls({ role: "server", tls: inner, reply: "go" }), (transport) =>
            Effect.map(heardBy(transport), ({ tag }) => heard.push(tag))
          )
        )
        for (const close of ["inner", "outer"] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const raw = nodeTls.connect({
                port,
                host: local,
                ca: authority.certificate,
                servername: "localhost"
              })
              raw.on("error", () => {})
              yield* Effect.callback<void>((resume) => void raw.once("data", () => resume(Effect.void)))
              const secure = nodeTls.connect({
                socket: raw,
                ca: authority.certificate,
                servername: "localhost"
              })
              secure.on("error", () => {})
              yield* Effect.callback<void>((resume) => {
                secure.once("secureConnect", () => setImmediate(resume, Effect.void))
              })
              yield* Effect.callback<void>((resume) => {
                secure.once("close", () => resume(Effect.void))
                secure.resume()
                if (close === "inner") secure.end()
                else raw.end()
              })
            })
          )
        }
        yield* Effect.yieldNow
        assert.deepStrictEqual(heard, [undefined, "Reset"])
      })
    )
  }
)
