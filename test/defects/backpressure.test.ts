/** C4: who does not read costs the high-water marks, not what is sent to him; when he reads, he gets all of it. */
import type * as net from "node:net"
import * as tls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { sendBytesMaxDefault } from "../../src/reactor/StreamLimits.ts"
import { tcpSystemBytesMax } from "../support/endpoints.ts"
import { connected, live, MiB, noiseBytes, type Target, target, tlsAvailable } from "./attack.ts"

const connections = 50
const gibibyte = 1024 * MiB
/** More than the system holds, so that most of it has to wait. */
const smaller = tcpSystemBytesMax + 4 * MiB

/** A socket that does not read, plain or through the handshake. */
const asking = (port: number, secured: boolean, bytes: number) =>
  Effect.gen(function* () {
    const socket = yield* connected(port)
    const top: net.Socket = secured ? yield* handshake(socket) : socket
    top.pause()
    top.write(`${bytes}\r\n`)
    return top
  })

const handshake = (socket: net.Socket) =>
  Effect.callback<tls.TLSSocket>((resume) => {
    const secured = tls.connect({ socket, rejectUnauthorized: false }, () => resume(Effect.succeed(secured)))
    secured.on("error", () => {})
  })

/** All that comes, counted. */
const readAll = (socket: net.Socket) =>
  Effect.callback<number>((resume) => {
    let bytes = 0
    socket.on("data", (piece: Buffer) => (bytes += piece.length))
    socket.once("end", () => resume(Effect.succeed(bytes)))
    socket.once("close", () => resume(Effect.succeed(bytes)))
    socket.resume()
  })

/** What has been handed to `send` once that stands still. */
const standstill = (attacked: Target) =>
  Effect.gen(function* () {
    const sent = Effect.map(attacked.ask<{ readonly sentBytes: number }>("cpu"), ({ sentBytes }) => sentBytes)
    for (let before = -1; ;) {
      const now = yield* sent
      if (now === before) return now
      before = now
      yield* Effect.sleep("300 millis")
    }
  })

const kinds = tlsAvailable ? (["stream", "tlsStream"] as const) : (["stream"] as const)

describe("C4: a peer that does not read", () => {
  for (const service of kinds) {
    const secured = service === "tlsStream"
    live(
      `${connections} times 1 GiB over ${secured ? "TLS" : "TCP"} cost their high-water marks, and those who read get all`,
      Effect.gen(function* () {
        const attacked = yield* target([service])
        const port = attacked.port(service)
        const ask = (bytes: number) => asking(port, secured, bytes)
        yield* Effect.scoped(Effect.flatMap(ask(smaller), readAll))
        yield* attacked.quiet
        const before = yield* attacked.measure
        const sentBefore = before.sentBytes

        const sockets = yield* Effect.forEach(Array.from({ length: connections }), () => ask(gibibyte), {
          concurrency: 10
        })
        const sent = (yield* standstill(attacked)) - sentBefore
        assert.isBelow(sent, connections * tcpSystemBytesMax)
        const during = yield* attacked.measure
        assert.isBelow(
          during.resident - before.resident,
          connections * 2 * sendBytesMaxDefault + noiseBytes,
          `after ${sent} bytes`
        )
        for (const socket of sockets) socket.destroy()
        yield* attacked.quiet

        // The same again, and then they read.
        const readers = yield* Effect.forEach([1, 2, 3], () => ask(smaller))
        yield* standstill(attacked)
        const waiting = yield* attacked.counts
        assert.strictEqual(waiting[service]!.open, 3)
        const got = yield* Effect.forEach(readers, readAll, { concurrency: "unbounded" })
        assert.deepStrictEqual(got, [smaller, smaller, smaller])
        yield* attacked.quiet
        const { loud, reports } = yield* attacked.measure
        assert.deepStrictEqual([loud, reports], [[], []])
      })
    )
  }
})
