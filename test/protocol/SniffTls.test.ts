/** TLS among the protocols of one port, with real clients: the hello that was looked at reaches the handshake. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as ProxyHeader from "../../src/protocol/ProxyHeader.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { TransportError } from "../../src/reactor/ReactorError.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { accepting, pairOn, read, reasonOf } from "../memory/pair.ts"
import { hello, plainSocket } from "../node/sockets.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { curl, describePeer, openssl } from "../support/peers.ts"

const local = "127.0.0.1"
const identity = certificates.available ? certificates.localhost().server : certificates.nobody
const tls: Tls.ServerOptions = { identity, alpn: ["http/1.1"] }

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () =>
    test.pipe(
      Effect.scoped,
      Effect.provide(NodeReactor.layer),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
  )

const http = Effect.fnUntraced(function* (transport: Transport) {
  const head = Buffer.from(yield* Effect.orDie(transport.receive)).toString()
  const body = `${transport.security._tag} ${transport.peer} ${head.split("\r\n")[0]}\n`
  yield* transport.send(
    `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  )
})

const echo = (transport: Transport) => transport.receiveEach(transport.send)

/** HTTP and echo, in plaintext, under TLS, and behind a PROXY header. */
const inside = [Sniff.when(Sniff.http1, http), Sniff.when(Sniff.text, echo)]
const withTls = [Sniff.tls(tls, Sniff.over(inside)), ...inside]
const everything = Sniff.over([
  Sniff.when(Sniff.proxyHeader, ProxyHeader.over({ trusted: [local] })(Sniff.over(withTls))),
  ...withTls
])

const startTls = (transport: Transport, upgrade: Partial<Tls.Upgrade>) =>
  transport.startTls({ role: "server", tls, ...upgrade } as Tls.Upgrade)

const serve = Effect.map(
  Server.make(Endpoint.tcp({ port: 0, interface: local }), everything, { drainTimeout: "10 millis" }),
  ({ address }) => (NetAddress.isInetAddress(address) ? address.port : 0)
)

describe.skipIf(!certificates.available)("Sniff.tls", () => {
  describePeer(curl, (command) => {
    const fetch = (...args: ReadonlyArray<string>) =>
      Effect.map(
        Child.run(command, [
          "--silent",
          "--show-error",
          "--insecure",
          "--max-time",
          "5",
          "--noproxy",
          "*",
          ...args
        ]),
        ({ stderr, stdout }) => stdout.replace(/127\.0\.0\.1:\d+/, "client") + stderr
      )
    live(
      "http, https, and both behind a PROXY header, on one port",
      Effect.gen(function* () {
        const port = yield* serve
        for (const header of [[], ["--haproxy-protocol"]]) {
          assert.strictEqual(
            yield* fetch(...header, `http://${local}:${port}/a`),
            "Plain client GET /a HTTP/1.1\n"
          )
          assert.strictEqual(
            yield* fetch(...header, `https://${local}:${port}/b`),
            "Tls client GET /b HTTP/1.1\n"
          )
        }
      })
    )
  })

  describePeer(openssl, (command) => {
    live(
      "TLS 1.2 and 1.3, what is protected is sniffed again",
      Effect.gen(function* () {
        const port = yield* serve
        for (const version of ["-tls1_2", "-tls1_3"]) {
          const client = yield* Child.spawn(command, [
            "s_client",
            "-quiet",
            version,
            "-connect",
            `${local}:${port}`
          ])
          yield* client.write("under the seal\n")
          yield* client.says(/^under the seal$/m)
        }
      })
    )
  })

  live(
    "a hello in pieces of any size",
    Effect.gen(function* () {
      const port = yield* serve
      for (const sizes of [[1], [5, 1], [6, 100], [hello.length - 1]]) {
        const socket = yield* plainSocket(port, { noDelay: true })
        const first = yield* Effect.forkChild(
          Effect.callback<Buffer>((resume) => {
            socket.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes)))
            socket.once("close", () => resume(Effect.succeed(Buffer.from("closed"))))
          })
        )
        let at = 0
        for (const size of [...sizes, hello.length]) {
          const part = hello.subarray(at, at + size)
          at += part.length
          yield* Effect.callback<void>(
            (resume) => void socket.write(part, () => setImmediate(() => resume(Effect.void)))
          )
        }
        const answer = yield* Fiber.join(first)
        assert.deepStrictEqual([...answer.subarray(0, 2), answer[5]], [22, 3, 2])
      }
    })
  )

  live(
    "a hello handed back in pieces, their order kept; behind the end of input there is no handshake",
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: local }))
      const accepted = yield* accepting(listener)
      const port = NetAddress.isInetAddress(listener.address) ? listener.address.port : 0
      const socket = yield* plainSocket(port)
      socket.write(hello)
      const server = yield* accepted
      const bytes = yield* Effect.orDie(server.receive)
      for (const [from, to] of [
        [100, bytes.length],
        [10, 100],
        [0, 10]
      ] as const) {
        yield* server.unread(bytes.subarray(from, to))
      }
      yield* Effect.forkChild(startTls(server, { unreadIsHello: true }))
      const answer = yield* Effect.callback<Buffer>((resume) => {
        socket.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes)))
        socket.once("close", () => resume(Effect.succeed(Buffer.from("closed"))))
      })
      assert.deepStrictEqual([...answer.subarray(0, 2), answer[5]], [22, 3, 2])

      const short = yield* plainSocket(port, { allowHalfOpen: true })
      short.end(hello)
      const left = yield* accepted
      let all = Buffer.alloc(0)
      yield* left.receiveEach((bytes) => Effect.sync(() => void (all = Buffer.concat([all, bytes]))))
      yield* left.unread(all)
      assert.match(yield* reasonOf(startTls(left, { unreadIsHello: true })), /^(HandshakeFailed|Reset)$/)
    })
  )

  live(
    "what only begins as a hello ends with the handshake's error, and so does one whose sender has left",
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const reasons: Array<string> = []
      const server = yield* Server.make(
        Endpoint.tcp({ port: 0, interface: local }),
        (transport) =>
          Effect.tapError(Sniff.over([Sniff.tls(tls, echo)])(transport), (error) =>
            Effect.sync(
              () => void reasons.push(error instanceof TransportError ? error.reason._tag : "other")
            )
          ),
        { drainTimeout: "10 millis" }
      )
      const port = NetAddress.isInetAddress(server.address) ? server.address.port : 0
      for (const end of ["garbage", "half-close"]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* reactor.connect(Endpoint.tcpClient({ host: local, port }))
            const bytes =
              end === "garbage"
                ? Buffer.concat([hello.subarray(0, 20), Buffer.alloc(hello.length)])
                : hello.subarray(0, 100)
            yield* client.send(bytes)
            if (end === "half-close") yield* client.end
            yield* Effect.exit(client.receiveEach(() => Effect.void))
          })
        )
      }
      assert.strictEqual(reasons[0], "HandshakeFailed")
      assert.match(reasons[1] ?? "", /^(HandshakeFailed|Reset)$/)
    })
  )
})

describe("unreadIsHello", () => {
  for (const [name, layer] of [
    ["Node", NodeReactor.layer],
    ["memory", MemoryReactor.layer()]
  ] as const) {
    it.live(`is asked for, or plaintext that was slipped in is refused: ${name}`, () =>
      Effect.gen(function* () {
        const reactor = yield* Reactor
        for (const upgrade of [{}, { unreadIsHello: false }, { reply: "220 go\r\n" }]) {
          const { client, closeClient, server } = yield* pairOn(reactor)
          yield* client.send("STLS\r\nslipped in")
          assert.strictEqual(yield* read(server), "STLS\r\nslipped in")
          yield* server.unread(Buffer.from("slipped in"))
          assert.strictEqual(yield* reasonOf(startTls(server, upgrade)), "UnreadBytes")
          // Nothing was sent, and the connection goes on in plaintext.
          yield* server.send("no\r\n")
          assert.strictEqual(yield* read(client), "no\r\n")
          yield* Effect.all([server.close, closeClient], { concurrency: 2 })
        }
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.live(`never lets plaintext through as protected: ${name}`, () =>
      Effect.gen(function* () {
        if (!certificates.available) return
        const { client, server } = yield* pairOn(yield* Reactor)
        yield* client.send("MAIL FROM:<x>\r\n")
        yield* server.unread(yield* Effect.orDie(server.receive))
        assert.strictEqual(yield* reasonOf(startTls(server, { unreadIsHello: true })), "HandshakeFailed")
        assert.match(
          yield* reasonOf(client.receiveEach(() => Effect.void)).pipe(
            Effect.catch(() => Effect.succeed("<end>"))
          ),
          /Reset|<end>/
        )
      }).pipe(Effect.scoped, Effect.provide(layer))
    )
  }
})
