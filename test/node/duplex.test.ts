import * as http from "node:http"
import * as net from "node:net"
import { Duplex, Readable, Transform } from "node:stream"
import * as promises from "node:stream/promises"
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as NodeDuplex from "../../src/node/NodeDuplex.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { scopedParallel } from "../../src/testing/suite/Case.ts"
import { pattern, receiveAll, sameBytes, takeText, text, utf8 } from "../../src/testing/suite/bytes.ts"
import { failsWith, isDone, turns, until } from "../../src/testing/suite/check.ts"
import type { Pair } from "../../src/testing/TransportSuite.ts"
import * as certificates from "../support/certificates.ts"
import { memoryPair } from "../support/convertedPairs.ts"
import { duplexPair } from "../support/duplexPair.ts"
import { echoTls } from "../support/endpoints.ts"

const fork = { startImmediately: true } as const

interface Streams extends Pair {
  readonly stream: Duplex
}

/** A pair in memory, its left side as a stream. */
const test = (name: string, body: (streams: Streams) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const pair = yield* memoryPair({ receiveBytesMax: 8_192, sendBytesMax: 8_192 })
        return yield* body({ ...pair, stream: yield* NodeDuplex.toDuplex(pair.left) })
      })
    )
  )

/** What a stream said, until it is closed. */
const eventsOf = (stream: Duplex) => {
  const events: Array<string> = []
  for (const name of ["end", "finish", "close"]) stream.on(name, () => events.push(name))
  stream.on("error", (error: NodeJS.ErrnoException) => events.push(`error ${error.code}`))
  const closed = until(() => events.includes("close"), "the stream closes")
  return { events, closed }
}

describe("a transport as a Duplex", () => {
  test("a pipeline ends it, and is read to the end", ({ right, stream }) =>
    Effect.gen(function* () {
      const bytes = pattern(300_000)
      yield* Effect.forkScoped(Effect.andThen(right.receiveEach(right.send), right.end), fork)
      const received: Array<Buffer> = []
      const collect = new Transform({
        transform: (chunk: Buffer, _, done) => {
          received.push(chunk)
          done()
        }
      })
      yield* Effect.promise(() =>
        promises.pipeline(Readable.from([bytes]), zlib.createGzip(), stream, zlib.createGunzip(), collect)
      )
      sameBytes(Buffer.concat(received), bytes, "the echo")
    }))

  test("a half-close each way, then close, without an error", ({ right, stream }) =>
    Effect.gen(function* () {
      const { closed, events } = eventsOf(stream)
      stream.resume()
      stream.end("bye")
      assert.strictEqual(text(yield* receiveAll(right)), "bye")
      yield* turns(20)
      assert.deepStrictEqual(events, ["finish"])
      yield* right.end
      yield* closed
      assert.deepStrictEqual(events, ["finish", "end", "close"])
    }))

  test("strings go in their encoding, and what is written in one turn leaves in one write", ({
    right,
    stream
  }) =>
    Effect.gen(function* () {
      stream.write("grüße ")
      stream.write("c3a9", "hex")
      stream.write(Buffer.from(" bytes"))
      assert.strictEqual(text(yield* right.receive), "grüße é bytes")
      stream.cork()
      for (const word of ["one ", "two ", "three"]) stream.write(word)
      stream.uncork()
      assert.strictEqual(text(yield* right.receive), "one two three")
      stream.destroy()
    }))

  test("nobody reads: the peer is held back, and not one byte is lost", ({ right, stream }) =>
    Effect.gen(function* () {
      const bytes = pattern(2 * 1024 * 1024)
      let accepted = 0
      const sending = Effect.gen(function* () {
        for (let i = 0; i < bytes.length; i += 4_096) {
          yield* right.send(bytes.subarray(i, i + 4_096))
          accepted += 4_096
        }
        yield* right.end
      })
      const sender = yield* Effect.forkScoped(sending, fork)
      stream.read(0)
      yield* turns(500)
      assert.isBelow(accepted, 512 * 1024)
      const pieces = yield* Effect.promise(() => stream.toArray() as Promise<Array<Buffer>>)
      sameBytes(Buffer.concat(pieces), bytes, "what was read")
      yield* Fiber.join(sender)
      stream.destroy()
    }))

  test("the peer does not read: write says so, and drain follows", ({ right, stream }) =>
    Effect.gen(function* () {
      const piece = pattern(65_536)
      let written = 0
      while (stream.write(piece) || written < 20) {
        written++
        if (written > 100) assert.fail("write never says that it is enough")
        if (written >= 20) break
      }
      let drained = false
      stream.once("drain", () => {
        drained = true
      })
      yield* turns(50)
      assert.isFalse(drained)
      stream.end()
      const received = yield* receiveAll(right)
      assert.strictEqual(received.length % piece.length, 0)
      assert.isTrue(stream.writableFinished)
    }))

  test("pieces written together are not written before there is room", ({ right, stream }) =>
    Effect.gen(function* () {
      let written = 0
      stream.cork()
      for (let i = 0; i < 50; i++) {
        stream.write(pattern(8_192), () => {
          written++
        })
      }
      stream.uncork()
      yield* turns(50)
      assert.isBelow(written, 50)
      stream.end()
      assert.strictEqual((yield* receiveAll(right)).length, 50 * 8_192)
      yield* until(() => written === 50, "all is written")
      stream.destroy()
    }))

  test("a lost connection is one error, with the transport's own as its cause", ({ right, stream }) =>
    Effect.gen(function* () {
      const { closed, events } = eventsOf(stream)
      let error: unknown
      stream.on("error", (cause) => {
        error = cause
      })
      stream.resume()
      yield* turns(5)
      yield* right.abort
      yield* closed
      assert.deepStrictEqual(events, ["error ECONNRESET", "close"])
      assert.instanceOf(error, NodeDuplex.DuplexError)
      assert.strictEqual(error.cause.reason._tag, "Reset")
    }))

  test("destroy aborts", ({ right, stream }) =>
    Effect.gen(function* () {
      stream.write("never")
      stream.destroy()
      yield* failsWith(receiveAll(right), "Reset", "the peer")
    }))

  test("destroy after the end takes nothing back", ({ right, stream }) =>
    Effect.gen(function* () {
      yield* Effect.promise(() => new Promise<void>((resolve) => stream.end("all of it", resolve)))
      stream.destroy()
      assert.strictEqual(text(yield* receiveAll(right)), "all of it")
    }))

  test("what we do to the transport ourselves is no error", ({ closeLeft, left, right, stream }) =>
    Effect.gen(function* () {
      const { closed, events } = eventsOf(stream)
      stream.resume()
      yield* turns(5)
      yield* Effect.forkScoped(closeLeft, fork)
      yield* isDone(right.receive, "the peer")
      yield* right.end
      yield* closed
      assert.deepStrictEqual(events, ["close"])
      yield* left.closed
    }))

  test("a transport that somebody else receives from is EBUSY", ({ left, stream }) =>
    Effect.gen(function* () {
      const { closed, events } = eventsOf(stream)
      yield* Effect.forkScoped(Effect.exit(left.receive), fork)
      stream.resume()
      yield* closed
      assert.deepStrictEqual(events, ["error EBUSY", "close"])
    }))

  test("node:http over it, both sides", ({ right, stream }) =>
    Effect.gen(function* () {
      const server = http.createServer((request, response) => {
        request.on("data", () => {}).on("end", () => response.end(`you asked for ${request.url}`))
      })
      server.emit("connection", yield* NodeDuplex.toDuplex(right))
      const answer = yield* Effect.callback<string>((resume) => {
        const request = http.request({
          method: "POST",
          path: "/tea",
          // The typings want a socket; any Duplex is documented.
          createConnection: () => stream as net.Socket
        })
        request.on("response", (response) => {
          let body = ""
          response.setEncoding("utf8")
          response.on("data", (piece: string) => {
            body += piece
          })
          response.on("end", () => resume(Effect.succeed(`${response.statusCode} ${body}`)))
        })
        request.end("please")
      })
      assert.strictEqual(answer, "200 you asked for /tea")
      stream.destroy()
      server.close()
    }))
})

describe("a Duplex as a transport", () => {
  const from = (duplex: Duplex): Effect.Effect<Transport, never, Scope.Scope> => NodeDuplex.fromDuplex(duplex)

  it.live("an encoding that was set is undone", () =>
    Effect.gen(function* () {
      const [a, b] = duplexPair()
      b.setEncoding("hex")
      const transport = yield* from(b)
      a.end(utf8("é and more"))
      assert.strictEqual(text(yield* receiveAll(transport)), "é and more")
    }).pipe(Effect.scoped)
  )

  it.live("objects are no bytes", () =>
    Effect.gen(function* () {
      const objects = new Duplex({ objectMode: true, read: () => {}, write: (_, __, done) => done() })
      const transport = yield* from(objects)
      objects.push({ not: "bytes" })
      yield* failsWith(transport.receive, "Unknown", "receive")
      assert.isTrue(objects.destroyed)
    }).pipe(Effect.scoped)
  )

  it.live("closed before its end is lost, by an error or without one", () =>
    Effect.gen(function* () {
      const silent = new Duplex({ read: () => {}, write: (_, __, done) => done() })
      const one = yield* from(silent)
      silent.destroy()
      yield* failsWith(one.receive, "Reset", "without an error")
      const loud = new Duplex({ read: () => {}, write: (_, __, done) => done() })
      const other = yield* from(loud)
      loud.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }))
      yield* failsWith(other.receive, "TimedOut", "with an error")
      yield* failsWith((yield* from(silent)).receive, "Reset", "destroyed before")
    }).pipe(Effect.scoped)
  )

  it.live("what has ended already has ended; what is buffered is received", () =>
    Effect.gen(function* () {
      const [a, b] = duplexPair()
      a.write("buffered")
      b.pause()
      const transport = yield* from(b)
      assert.strictEqual(yield* takeText(transport, 8), "buffered")
      const [c, d] = duplexPair()
      c.end()
      yield* Effect.callback<void>((resume) => {
        d.resume().once("end", () => resume(Effect.void))
      })
      yield* isDone((yield* from(d)).receive, "receive")
      // Else closing would wait for its end.
      a.end()
    }).pipe(Effect.scoped)
  )

  it.live("reasons survive the way there and back", () =>
    Effect.gen(function* () {
      const { left, right } = yield* memoryPair()
      const back = yield* from(yield* NodeDuplex.toDuplex(left))
      const receiving = yield* Effect.forkChild(back.receive, fork)
      yield* turns(5)
      yield* right.abort
      const reason = yield* failsWith(Fiber.join(receiving), "Reset", "there and back")
      assert.strictEqual(yield* failsWith(left.closed, "Reset", "the transport itself"), reason)
    }).pipe(Effect.scoped)
  )

  it.live("closing ends an idle peer's wait, and leaves the stream destroyed", () =>
    Effect.gen(function* () {
      const [a, b] = duplexPair()
      const other = yield* from(a)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* from(b)
          yield* transport.send("bye")
          yield* Effect.forkDetach(Effect.andThen(receiveAll(other), other.end), fork)
        })
      )
      assert.isTrue(b.destroyed)
      yield* other.closed
    }).pipe(Effect.scoped)
  )

  it.live("startTls is refused before anything is touched", () =>
    Effect.gen(function* () {
      const [a, b] = duplexPair()
      const transport = yield* from(a)
      const peer = yield* from(b)
      yield* failsWith(transport.startTls({ role: "client", tls: {} }), "Unsupported", "startTls")
      yield* transport.send("still plain")
      assert.strictEqual(yield* takeText(peer, 11), "still plain")
    }).pipe(scopedParallel)
  )

  it.live.skipIf(!certificates.available)("a socket from elsewhere changes to TLS", () =>
    Effect.gen(function* () {
      const tls = echoTls()!
      const [left, right] = yield* Effect.callback<readonly [net.Socket, net.Socket]>((resume) => {
        const server = net.createServer((accepted) => {
          server.close()
          resume(Effect.succeed([client, accepted]))
        })
        let client: net.Socket
        server.listen(0, "127.0.0.1", () => {
          client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1")
        })
      })
      const [client, server] = yield* Effect.all(
        [
          Effect.flatMap(from(left), (transport) => transport.startTls({ role: "client", tls: tls.client })),
          Effect.flatMap(from(right), (transport) => transport.startTls({ role: "server", tls: tls.server }))
        ],
        { concurrency: "unbounded" }
      )
      yield* client.send("secret")
      assert.strictEqual(yield* takeText(server, 6), "secret")
      assert.strictEqual(server.security._tag, "Tls")
      yield* client.end
      yield* server.end
    }).pipe(Effect.scoped)
  )
})
