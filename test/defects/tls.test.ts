/** T3, T5: plaintext slipped in before TLS, and what handshakes cost. The other rows, and other tests of these, are named in README.md. */
import * as net from "node:net"
import * as nodeTls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { hello } from "../node/sockets.ts"
import * as certificates from "../support/certificates.ts"
import {
  connected,
  heard,
  live,
  MiB,
  noiseBytes,
  over,
  target,
  tlsAvailable,
  writeBytewise
} from "./attack.ts"

const identities = () => certificates.localhost()

describe.skipIf(!tlsAvailable)("T3: plaintext before TLS", () => {
  // CVE-2011-0411: in one segment with the command, all of it is there before the switch.
  for (const [what, behind] of [
    ["a command", Buffer.from("MAIL FROM:<x>\r\n")],
    ["a hello", hello],
    ["a command and a hello", Buffer.concat([Buffer.from("MAIL FROM:<x>\r\n"), hello])],
    ["one byte", Buffer.from("\n")]
  ] as const) {
    live(
      `${what} in one segment with STARTTLS closes the connection, and nothing of it is answered`,
      Effect.gen(function* () {
        const attacked = yield* target(["starttls"])
        const socket = yield* connected(attacked.port("starttls"))
        yield* heard(socket)
        socket.write(Buffer.concat([Buffer.from("STARTTLS\r\n"), behind]))
        const { text } = yield* over(socket)
        assert.strictEqual(text, "")
        socket.destroy()
        yield* attacked.quiet
        const { loud, reasons, reports } = yield* attacked.measure
        assert.deepStrictEqual([reasons, loud, reports], [{ UnreadBytes: 1 }, [], []])
      })
    )
  }

  live(
    "what comes a byte at a time behind STARTTLS is at most a broken handshake: never a command",
    Effect.gen(function* () {
      const attacked = yield* target(["starttls"])
      const socket = yield* connected(attacked.port("starttls"))
      yield* heard(socket)
      const [{ text }] = yield* Effect.all(
        [over(socket), writeBytewise(socket, Buffer.from("STARTTLS\r\nMAIL FROM:<x>\r\nQUIT\r\n"))],
        { concurrency: "unbounded" }
      )
      assert.match(text, /^(220 go ahead\r\n)?$/)
      socket.destroy()
      yield* attacked.quiet
      const { loud, reports } = yield* attacked.measure
      assert.deepStrictEqual([loud, reports], [[], []])
    })
  )

  it.live("a reply slipped in behind a server's go-ahead: the client refuses, and sends nothing", () =>
    Effect.gen(function* () {
      for (const injected of ["250 injected\r\n", "\r", "\x16\x03\x03"]) {
        const heardByServer: Array<Buffer> = []
        const server = yield* Effect.acquireRelease(
          Effect.callback<net.Server>((resume) => {
            const server = net.createServer((socket) => {
              socket.on("error", () => {})
              socket.on("data", (bytes: Buffer) => {
                heardByServer.push(bytes)
                socket.write(`220 go ahead\r\n${injected}`)
              })
            })
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const reactor = yield* Reactor
            const { port } = server.address() as net.AddressInfo
            const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
            yield* client.send("STARTTLS\r\n")
            const reply = yield* client.receive
            const goAhead = "220 go ahead\r\n".length
            yield* client.unread(reply.subarray(goAhead))
            const error = yield* Effect.flip(
              client.startTls({
                role: "client",
                tls: { authorities: identities().authority.certificate, serverName: "localhost" }
              })
            )
            assert.strictEqual(error.reason._tag, "UnreadBytes")
            yield* client.abort
          })
        )
        assert.strictEqual(Buffer.concat(heardByServer).toString(), "STARTTLS\r\n")
      }
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})

/** A whole handshake with a certificate of the client's, an echo, and an end. */
const mutual = (port: number, resumes: boolean) =>
  Effect.callback<boolean>((resume) => {
    const { authority, client } = identities()
    const socket = nodeTls.connect({
      host: "127.0.0.1",
      port,
      servername: "localhost",
      ca: authority.certificate,
      cert: client.certificate,
      key: client.privateKey,
      ...(resumes ? {} : { maxVersion: "TLSv1.2" })
    })
    let echoed = false
    socket.on("error", () => {})
    socket.on("secureConnect", () => socket.write("x"))
    socket.on("data", () => {
      echoed = true
      socket.end()
    })
    socket.on("close", () => resume(Effect.succeed(echoed)))
  })

const handshakes = 2_000

describe.skipIf(!tlsAvailable)("T5: what handshakes cost", () => {
  // CVE-2025-59464: certificates of clients leaked.
  live(
    `memory is as before after ${handshakes} handshakes with certificates of clients`,
    Effect.gen(function* () {
      const attacked = yield* target(["mutualTls"])
      const port = attacked.port("mutualTls")
      const shake = (times: number) =>
        Effect.map(
          Effect.forEach(
            Array.from({ length: times }, (_, index) => index),
            (index) => mutual(port, index % 2 === 0),
            { concurrency: 4 }
          ),
          (all) => assert.isTrue(all.every((echoed) => echoed))
        )
      // Collected in between, so that what malloc holds on to is not that of the largest heap of garbage.
      const batch = Effect.andThen(shake(handshakes / 5), Effect.andThen(attacked.quiet, attacked.measure))
      yield* batch
      const before = yield* batch
      yield* Effect.replicateEffect(batch, 4)
      const after = yield* batch
      // 4 KiB each would be seen.
      assert.isBelow(after.resident - before.resident, noiseBytes / 2)
      assert.isBelow(after.heapUsed - before.heapUsed, MiB)
      assert.deepStrictEqual([after.loud, after.reports], [[], []])
    }),
    90_000
  )

  live(
    "huge hellos, whole and dripping, cost their limit",
    Effect.gen(function* () {
      const attacked = yield* target(["tls", "tlsNamed"])
      const record = Buffer.concat([Buffer.of(22, 3, 1, 0x3f, 0xff), Buffer.alloc(16_383, 1)])
      // One message of 16 MiB, in whole records.
      const head = Buffer.concat([Buffer.of(22, 3, 1, 0x3f, 0xff, 1, 255, 255, 255), Buffer.alloc(16_379)])
      const flood = Effect.forEach(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? "tls" : "tlsNamed")),
        (service) =>
          Effect.scoped(
            Effect.gen(function* () {
              const socket = yield* connected(attacked.port(service))
              socket.write(head)
              for (let i = 0; i < 64; i++) socket.write(record)
              yield* over(socket)
            })
          ),
        { concurrency: 25, discard: true }
      )
      yield* flood
      yield* attacked.quiet
      const before = yield* attacked.measure
      yield* attacked.forgetMax
      yield* flood
      // Held, not finished: what has come so far is all that is held.
      const held = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) =>
          Effect.tap(connected(attacked.port(index % 2 === 0 ? "tls" : "tlsNamed")), (socket) =>
            Effect.sync(() => socket.write(head.subarray(0, 12_000)))
          )
      )
      yield* Effect.sleep("100 millis")
      const during = yield* attacked.measure
      // OpenSSL's own state, the bytes, and their buffers.
      assert.isBelow(during.resident - before.resident, 100 * 131_072 + noiseBytes)
      for (const socket of held) socket.destroy()
      yield* attacked.quiet
      const after = yield* attacked.measure
      assert.isBelow(after.residentMax - before.resident, 100 * 131_072 + 2 * noiseBytes)
      assert.deepStrictEqual([after.loud, after.reports], [[], []])
    })
  )
})
