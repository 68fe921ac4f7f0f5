/** What handshakes may cost: their number, their time, and what comes in them. */
import * as net from "node:net"
import * as nodeTls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { HelloReader, helloBytesMax } from "../../src/node/NodeTlsHello.ts"
import * as Identities from "../../src/reactor/Identities.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { describePeer, openssl } from "../support/peers.ts"
import { hello, plainSocket, socketEnd } from "./sockets.ts"
import { authority, connect, echoes, live, local, logged, serve, server } from "./tlsEcho.ts"

/** With one identity OpenSSL reads the hello, with several we do, before. */
const identities: ReadonlyArray<readonly [string, () => Tls.ServerOptions["identity"]]> = [
  ["one identity", () => server],
  ["several", () => [server, authority.issue({ names: ["other.example"] })]]
]

const record = (type: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(type, 3, 1, body.length >> 8, body.length & 255), body])

/** A hello of Node's for a name and protocols, without the record's head. */
const helloFor = (servername: string, protocols: ReadonlyArray<string> = []) =>
  Effect.callback<Buffer>((resume) => {
    const peer = net.createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", (bytes: Buffer) => {
        socket.destroy()
        peer.close()
        resume(Effect.succeed(bytes.subarray(5)))
      })
    })
    peer.listen(0, local, () => {
      const { port } = peer.address() as net.AddressInfo
      nodeTls.connect({ port, host: local, servername, ALPNProtocols: [...protocols] }).on("error", () => {})
    })
  })

describe("a hello", () => {
  const name = "Some.Example"
  const wanted = { serverName: "some.example", alpn: ["h2", "http/1.1"] }

  const inPieces = (bytes: Buffer, size: number) => {
    const reader = new HelloReader()
    for (let at = 0; at < bytes.length; at += size) {
      const result = reader.push(Buffer.from(bytes.subarray(at, at + size)))
      if (result !== undefined) return { result, read: reader.bytes, all: at + size >= bytes.length }
    }
    return { result: undefined, read: reader.bytes, all: true }
  }

  it.live("is read in whatever pieces and records it comes, not a byte lost", () =>
    Effect.gen(function* () {
      const message = yield* helloFor(name, wanted.alpn)
      for (const recordBytes of [1, 2, 3, 5, 100, 16_000]) {
        const records: Array<Buffer> = []
        for (let at = 0; at < message.length; at += recordBytes) {
          records.push(record(22, message.subarray(at, at + recordBytes)))
        }
        const bytes = Buffer.concat(records)
        for (const size of [1, 2, 7, 64, 1_000, bytes.length]) {
          const { all, read, result } = inPieces(bytes, size)
          assert.deepStrictEqual(result, wanted, `${recordBytes} ${size}`)
          assert.isTrue(all, "it knew before the end")
          assert.isTrue(read.equals(bytes))
        }
        for (let length = 0; length < bytes.length; length += 1 + (bytes.length >> 7)) {
          assert.isUndefined(inPieces(bytes.subarray(0, length), 100).result)
        }
      }
      // What follows is kept as well.
      const early = Buffer.concat([record(22, message), record(23, Buffer.alloc(9))])
      assert.isTrue(inPieces(early, early.length).read.equals(early))
    })
  )

  it.live("that is broken anywhere gives a hello, a problem, or waits: it never throws", () =>
    Effect.gen(function* () {
      const message = yield* helloFor(name, wanted.alpn)
      const outcomes = new Set<string>()
      for (let at = 0; at < message.length; at++) {
        for (const value of [0, 1, 127, 255]) {
          const bytes = Buffer.from(message)
          bytes[at] = value
          const { result } = inPieces(record(22, bytes), 50)
          outcomes.add(typeof result === "string" ? result : typeof result)
        }
      }
      assert.deepStrictEqual([...outcomes].toSorted(), ["NotTls", "TooLong", "object", "undefined"])
    })
  )

  it("that is none is known at once", () => {
    const results = [
      "GET / HTTP/1.1\r\n",
      "\x16\x03\x01\x00\x00",
      "\x16\x02\x01\x00\x05",
      "\x15\x03\x01\x00\x02\x01\x00"
    ].map((text) => new HelloReader().push(Buffer.from(text, "latin1")))
    assert.deepStrictEqual(results, ["NotTls", "NotTls", "NotTls", "NotTls"])
    assert.strictEqual(new HelloReader().push(Buffer.from("S")), "NotTls")
    // A server's hello.
    assert.strictEqual(new HelloReader().push(record(22, Buffer.of(2, 0, 0, 1, 0))), "NotTls")
  })

  it("that is too long is known before it has come, and in small records costs no more than its bytes", () => {
    assert.strictEqual(new HelloReader().push(record(22, Buffer.of(1, 1, 0, 0))), "TooLong")
    const reader = new HelloReader()
    let result = reader.push(record(22, Buffer.of(1, 0, 255, 240)))
    const began = performance.now()
    const small = record(22, Buffer.of(0))
    let bytes = 9
    while (result === undefined && bytes < 2 * helloBytesMax) {
      for (const byte of small) result ??= reader.push(Buffer.of(byte))
      bytes += small.length
    }
    assert.strictEqual(result, "TooLong")
    assert.isAtMost(bytes, helloBytesMax + 16)
    assert.isBelow(performance.now() - began, 2_000)
  })
})

describe.skipIf(!certificates.available)("handshakes", () => {
  for (const [what, identity] of identities) {
    describe(what, () => {
      live(
        "garbage, a half, a huge hello, a reset, an end: each costs its own connection, and is told at Debug with its peer",
        Effect.gen(function* () {
          const lines: Array<string> = []
          const { port } = yield* serve({ identity: identity() }).pipe(logged(lines))
          const attacks: ReadonlyArray<(socket: net.Socket) => void> = [
            (socket) => socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (socket) => socket.write(Buffer.alloc(100_000, 0x16)),
            (socket) => socket.write(Buffer.concat([hello.subarray(0, 5), Buffer.alloc(hello.length, 255)])),
            (socket) => {
              // A message of 16 MiB, in whole records.
              socket.write(record(22, Buffer.concat([Buffer.of(1, 255, 255, 255), Buffer.alloc(16_000)])))
              for (let each = 0; each < 100; each++) socket.write(record(22, Buffer.alloc(16_000)))
            },
            (socket) => socket.end(hello.subarray(0, 60)),
            (socket) => socket.end(),
            (socket) => socket.end(hello),
            (socket) => socket.write(Buffer.concat([hello, Buffer.from("plaintext behind the hello")])),
            (socket) => socket.resetAndDestroy(),
            (socket) => socket.write(hello.subarray(0, 60), () => socket.resetAndDestroy()),
            (socket) => {
              socket.write(hello)
              socket.once("data", () => socket.resetAndDestroy())
            },
            (socket) => {
              socket.write(hello)
              socket.once("data", () => socket.write(record(21, Buffer.of(2, 40))))
            }
          ]
          for (const attack of attacks) {
            const socket = yield* plainSocket(port)
            socket.on("error", () => {})
            attack(socket)
            yield* socketEnd(socket)
          }
          yield* echoes(port)
          const told = lines.filter((line) => line.includes("a TLS handshake failed"))
          assert.strictEqual(told.length, attacks.length, told.join("\n"))
          for (const line of told) assert.match(line, /^Debug .*"peer":"127\.0\.0\.1:\d+".*"reason":"/)
        })
      )

      live(
        "the deadline is of the whole handshake: a client that drips is not granted more",
        Effect.gen(function* () {
          const lines: Array<string> = []
          const { port } = yield* serve({ identity: identity(), handshakeTimeout: "300 millis" }).pipe(
            logged(lines)
          )
          const socket = yield* plainSocket(port)
          let sent = 0
          const drip = setInterval(() => socket.write(hello.subarray(sent, ++sent)), 20)
          const began = performance.now()
          yield* socketEnd(socket)
          clearInterval(drip)
          assert.isBelow(performance.now() - began, 2_000)
          assert.match(lines.join("\n"), /^Debug .*TimedOut/m)
        })
      )

      live(
        "a handshake is refused above handshakesMax; whoever lasted a second makes room",
        Effect.gen(function* () {
          const { port } = yield* serve({ identity: identity(), handshakesMax: 3 })
          const held = yield* Effect.all(Array.from({ length: 3 }, () => plainSocket(port)))
          const { reason } = yield* Effect.flip(connect(port))
          assert.include(["Reset", "HandshakeFailed"], reason._tag)
          assert.isTrue(held.every((socket) => !socket.destroyed))
          held[0]!.on("error", () => {})
          held[0]!.resume()
          yield* Effect.retry(echoes(port), { schedule: Schedule.spaced("100 millis"), times: 30 })
          yield* socketEnd(held[0]!)
          assert.isFalse(held[2]!.destroyed)
          // Those that are done take no place.
          held[1]!.destroy()
          held[2]!.destroy()
          yield* echoes(port)
          for (let each = 0; each < 10; each++) yield* connect(port)
        })
      )
    })
  }

  // anchors: T5.
  live(
    "2,000 half-open handshakes do not keep a normal client out",
    Effect.gen(function* () {
      const { port } = yield* serve({ identity: [server] })
      const sockets = yield* Effect.forEach(
        Array.from({ length: 2_000 }, (_, index) => index),
        (index) =>
          Effect.tap(plainSocket(port), (socket) =>
            Effect.sync(() => {
              socket.on("error", () => {})
              socket.resume()
              if (index % 2 === 0) socket.write(hello.subarray(0, 60))
            })
          ),
        { concurrency: 100 }
      )
      const began = performance.now()
      yield* Effect.retry(echoes(port), { schedule: Schedule.spaced("50 millis"), times: 60 })
      assert.isBelow(performance.now() - began, 3_000)
      // A standing one is not touched by what comes.
      const standing = yield* connect(port)
      yield* Effect.forEach(Array.from({ length: 100 }), () => plainSocket(port), { concurrency: 50 })
      yield* standing.send("x")
      yield* standing.receive
      const open = sockets.filter((socket) => !socket.destroyed).length
      assert.isAtMost(open, 1_024)
      assert.isAtLeast(open, 800)
    })
  )

  live(
    "stopping the listener ends those that wait for a hook, and the hook, even from within the hook",
    Effect.gen(function* () {
      for (const within of [true, false]) {
        const asked = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const { port, running } = yield* serve({
          selectIdentity: () =>
            Effect.andThen(Deferred.succeed(asked, undefined), Effect.never).pipe(
              Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
            )
        })
        const socket = yield* plainSocket(port)
        socket.write(hello)
        yield* Deferred.await(asked)
        // Until here this fiber runs inside of the hook, which woke it.
        if (!within) yield* Effect.yieldNow
        yield* running.stop
        yield* socketEnd(socket)
        yield* Deferred.await(interrupted)
      }
    })
  )

  live(
    "a client that leaves ends its hook",
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const { port } = yield* serve({
        clientCertificate: "require",
        authorities: authority.certificate,
        verifyPeer: () =>
          Effect.andThen(Deferred.succeed(asked, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
      })
      const transport = yield* connect(port, { identity: certificates.localhost().client })
      yield* Deferred.await(asked)
      yield* transport.abort
      yield* Deferred.await(interrupted)
    })
  )

  live(
    "a client's own handshakeTimeout is a TimedOut",
    Effect.gen(function* () {
      const silent = yield* Identities.make(server)
      const { port } = yield* serve({ identity: silent, selectIdentity: () => Effect.never })
      const began = performance.now()
      const { reason } = yield* Effect.flip(connect(port, { handshakeTimeout: "100 millis" }))
      assert.strictEqual(reason._tag, "TimedOut")
      assert.isBelow(performance.now() - began, 5_000)
    })
  )

  describePeer(openssl, (command) => {
    live(
      "a client that wants to renegotiate is told no, and nobody else notices",
      Effect.gen(function* () {
        const { port } = yield* serve()
        const child = yield* Child.spawn(command, ["s_client", "-connect", `${local}:${port}`, "-tls1_2"])
        yield* child.write("a line\n")
        yield* child.says(/\na line\n/)
        yield* child.write("R\n")
        const { stderr, stdout } = yield* child.ended
        assert.match(stdout + stderr, /RENEGOTIATING/)
        assert.match(stdout + stderr, /no renegotiation/)
        yield* echoes(port)
      })
    )
  })
})
