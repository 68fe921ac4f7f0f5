/** PROXY headers of those who send them: HAProxy, curl; and of a peer that puts the hello of TLS into the same segment. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { hello, plainSocket } from "../node/sockets.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { curl, describePeer, netcat, openssl, type Peer, which } from "../support/peers.ts"
import { bytesOf, endsOf, inet, v2 } from "./proxyHeaders.ts"

const local = "127.0.0.1"
const proxy: Endpoint.ProxyOptions = { trusted: [`${local}/32`, "unix"] }
// A daemon: not on everybody's PATH.
const haproxy: Peer = {
  name: "haproxy",
  debian: "haproxy",
  path: which("haproxy") ?? ["/usr/sbin/haproxy"].find((file) => fs.existsSync(file))
}
const identities = certificates.available
  ? certificates.localhost()
  : { authority: certificates.nobody, client: certificates.nobody, server: certificates.nobody }
const tls = { identity: identities.server }

const quiet = Effect.provideService(References.MinimumLogLevel, "Error")
const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer), quiet))

interface Seen {
  readonly peer: string
  readonly local: string
  readonly security: string
  readonly header: ProxyHeader.ProxyHeader
}

/** A server behind proxies, which answers a line with the client's address. */
const behind = Effect.fnUntraced(function* (inner: Endpoint.Server) {
  const seen: Array<Seen> = []
  const server = yield* Server.make(
    Endpoint.proxied({ inner, proxy }),
    Effect.fnUntraced(function* (transport: Transport) {
      seen.push({
        peer: NetAddress.formatSocketAddress(transport.peer),
        local: NetAddress.formatSocketAddress(transport.local),
        security: transport.security._tag,
        header: ProxyHeader.of(transport)!
      })
      const line = Buffer.from(yield* transport.receive).toString()
      const body = `${line.split("\r\n")[0]} from ${NetAddress.formatSocketAddress(transport.peer)}\n`
      yield* transport.send(
        line.startsWith("GET") ? `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` : body
      )
      yield* transport.end
      yield* transport.receiveEach(() => Effect.void)
    }),
    { drainTimeout: "10 millis" }
  )
  return { seen, server, port: NetAddress.isInetAddress(server.address) ? server.address.port : 0 }
})

/** Long enough for the server to have read what was written. */
const turns = Effect.callback<void>((resume) => {
  let left = 10
  const turn = () => (left-- === 0 ? resume(Effect.void) : void setImmediate(turn))
  turn()
})

const tcp = Endpoint.tcp({ port: 0, interface: local })

describePeer(curl, (command) => {
  const fetch = (...args: ReadonlyArray<string>) =>
    Child.run(command, ["--silent", "--show-error", "--max-time", "5", "--noproxy", "*", ...args])

  live(
    "curl --haproxy-protocol",
    Effect.gen(function* () {
      const { port, seen } = yield* behind(tcp)
      const { stdout } = yield* fetch("--haproxy-protocol", `http://${local}:${port}/page`)
      assert.match(stdout, /^GET \/page HTTP\/1\.1 from 127\.0\.0\.1:\d+\n$/)
      const { header, local: at, peer } = seen[0]!
      assert.deepStrictEqual([header.version, endsOf(header)], [1, [peer, at]])
      assert.strictEqual(at, `${local}:${port}`)
    })
  )

  live(
    "curl --haproxy-protocol over a UNIX socket, which says UNKNOWN",
    Effect.gen(function* () {
      const file = yield* socketPath
      const { seen } = yield* behind(Endpoint.unix({ path: file }))
      const { stdout } = yield* fetch("--haproxy-protocol", "--unix-socket", file, "http://a/page")
      assert.match(stdout, /^GET \/page HTTP\/1\.1 from /)
      assert.deepStrictEqual([seen[0]!.header.addresses, seen[0]!.local], [undefined, file])
    })
  )

  live(
    "curl --haproxy-protocol in front of TLS",
    Effect.gen(function* () {
      if (!certificates.available) return
      const { port, seen } = yield* behind(Endpoint.tls({ port: 0, interface: local, tls }))
      const { stderr, stdout } = yield* fetch(
        "--haproxy-protocol",
        "--insecure",
        `https://${local}:${port}/page`
      )
      assert.match(stdout, /^GET \/page HTTP\/1\.1 from 127\.0\.0\.1:\d+\n$/, stderr)
      assert.deepStrictEqual([seen[0]!.security, seen[0]!.header.version], ["Tls", 1])
    })
  )

  live(
    "curl without a header is closed",
    Effect.gen(function* () {
      const { port, seen } = yield* behind(tcp)
      const { code } = yield* fetch(`http://${local}:${port}/`)
      assert.notStrictEqual(code, 0)
      assert.deepStrictEqual(seen, [])
    })
  )
})

describePeer(netcat, (command) => {
  live(
    "a header typed by hand",
    Effect.gen(function* () {
      const { port } = yield* behind(tcp)
      const input = "PROXY TCP6 2001:db8::1 ::1 1 2\r\nhello\r\n"
      const { stdout } = yield* Child.run(command, ["-N", local, String(port)], { input })
      assert.strictEqual(stdout, "hello from [2001:db8::1]:1\n")
    })
  )
})

describe.skipIf(!certificates.available)("TLS behind the header", () => {
  for (const [name, inner] of [
    ["a TLS endpoint", Endpoint.tls({ port: 0, interface: local, tls })],
    ["a secured one", Endpoint.secured({ inner: tcp, tls })]
  ] as const) {
    for (const [how, cut] of [
      ["in one segment", []],
      ["header and half a hello, then the rest", [28 + 100]],
      ["half a header, then the rest", [20]],
      ["a byte of the hello with the header", [28 + 1]]
    ] as const) {
      live(
        `${name}: ${how}`,
        Effect.gen(function* () {
          const { port, seen } = yield* behind(inner)
          const bytes = Buffer.concat([bytesOf(v2(0x21, 0x11, inet)), hello])
          const socket = yield* plainSocket(port, { noDelay: true })
          let from = 0
          for (const at of [...cut, bytes.length]) {
            const part = bytes.subarray(from, at)
            from = at
            yield* Effect.callback<void>((resume) => void socket.write(part, () => resume(Effect.void)))
            yield* turns
          }
          // A ServerHello: a handshake record. The client never goes on.
          const first = yield* Effect.callback<Buffer>((resume) => {
            socket.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes)))
            socket.once("close", () => resume(Effect.succeed(Buffer.from("closed"))))
          })
          assert.deepStrictEqual([...first.subarray(0, 2), first[5]], [22, 3, 2])
          assert.deepStrictEqual(seen, [])
        })
      )
    }

    live(
      `${name}: a plaintext request behind the header is no handshake`,
      Effect.gen(function* () {
        const { port, seen } = yield* behind(inner)
        const socket = yield* plainSocket(port)
        socket.write(bytesOf(`${v2(0x21, 0x11, inet)}GET / HTTP/1.1\r\n\r\n`))
        yield* Effect.callback<void>(
          (resume) => void socket.resume().once("close", () => resume(Effect.void))
        )
        assert.deepStrictEqual(seen, [])
      })
    )
  }

  describePeer(openssl, (command) => {
    live(
      "a server with proxied TLS stops in the middle of a handshake, and goes on after broken ones",
      Effect.gen(function* () {
        const { port, seen, server } = yield* behind(Endpoint.tls({ port: 0, interface: local, tls }))
        for (let i = 0; i < 20; i++) {
          const socket = yield* plainSocket(port)
          socket.write(Buffer.concat([bytesOf(v2(0x21, 0x11, inet)), hello]))
          yield* Effect.callback<void>((resume) => void socket.once("data", () => resume(Effect.void)))
          if (i % 2 === 0) socket.resetAndDestroy()
          else if (i % 4 === 1) socket.destroy()
        }
        assert.deepStrictEqual(seen, [])
        // OpenSSL has no way to send a header; a relay in front of it has.
        const relay = yield* relayWith(bytesOf(v2(0x21, 0x11, inet)), port)
        const client = yield* Child.spawn(command, ["s_client", "-quiet", "-connect", `${local}:${relay}`])
        yield* client.write("hello\r\n")
        yield* client.says(/hello from 192\.0\.2\.1:56324/)
        yield* server.stop
      })
    )
  })
})

describe.skipIf(!certificates.available)("a client that resets", () => {
  const header = bytesOf(v2(0x21, 0x11, inet))
  for (const [name, inner, phases] of [
    ["in plaintext", tcp, [[], header.subarray(0, 20), header, Buffer.concat([header, Buffer.from("hel")])]],
    [
      "under TLS",
      Endpoint.tls({ port: 0, interface: local, tls }),
      [header, Buffer.concat([header, hello.subarray(0, 50)]), Buffer.concat([header, hello])]
    ]
  ] as const) {
    live(
      `${name}, at any moment, ends its own connection only`,
      Effect.gen(function* () {
        const { port, seen, server } = yield* behind(inner)
        for (let i = 0; i < 100; i++) {
          const socket = yield* plainSocket(port)
          socket.write(new Uint8Array(phases[i % phases.length]!))
          if (i % 3 > 0) yield* turns
          if (i % 2 === 0) socket.resetAndDestroy()
          else socket.destroy()
        }
        if (name === "in plaintext") {
          const socket = yield* plainSocket(port)
          socket.write(Buffer.concat([header, Buffer.from("hello\r\n")]))
          const answer = yield* Effect.callback<string>((resume) => {
            socket.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
          })
          assert.strictEqual(answer, "hello from 192.0.2.1:56324\n")
        } else assert.deepStrictEqual(seen, [])
        yield* server.stop
        assert.strictEqual((yield* SubscriptionRef.get(server.counts)).failed, 0)
      })
    )
  }
})

/** Sends `header`, then whatever a client says, in front of it where it can. */
const relayWith = (header: Uint8Array, port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Server>((resume) => {
        const server = net.createServer((client) => {
          const upstream = net.connect(port, local)
          client.once("data", (first: Buffer) => {
            upstream.write(Buffer.concat([header, first]))
            client.pipe(upstream).pipe(client)
          })
          for (const socket of [client, upstream]) socket.on("error", () => {})
          client.once("close", () => upstream.destroy())
          upstream.once("close", () => client.destroy())
        })
        server.listen(0, local, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as net.AddressInfo).port
  )

/** A port that was free a moment ago: HAProxy cannot be told to choose one. */
const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer()
  server.listen(0, local, () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

describePeer(haproxy, (command) => {
  /** HAProxy with one front end, whose port it gives once it listens. */
  const running = Effect.fnUntraced(function* (bind: string, server: string, more = "") {
    const directory = path.dirname(yield* socketPath)
    const write = (name: string, text: string) => {
      fs.writeFileSync(path.join(directory, name), text, { mode: 0o600 })
      return path.join(directory, name)
    }
    const { authority, server: own } = identities
    const port = yield* freePort
    const certificate = write("own.pem", `${own.certificate}${String(own.privateKey)}`)
    const authorities = write("ca.pem", String(authority.certificate))
    const file = write(
      "haproxy.cfg",
      `global
  maxconn 100
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen it
  bind ${local}:${port} ${bind.replace("CERT", certificate).replace("CA", authorities)}
  ${more}
  server one ${server}
`
    )
    const child = yield* Child.spawn(command, ["-db", "-f", file])
    yield* Effect.retry(
      Effect.callback<void, Error>((resume) => {
        const socket = net.connect(port, local, () => {
          socket.destroy()
          resume(Effect.void)
        })
        socket.on("error", (error) => resume(Effect.fail(error)))
      }),
      { schedule: Schedule.spaced("20 millis"), times: 200 }
    )
    return { port, child, directory, authorities }
  })

  /** Says a line through the proxy. The front end was tried once before: the client's is the last that was seen. */
  const ask = (port: number) =>
    Effect.scoped(
      Effect.gen(function* () {
        const socket = yield* plainSocket(port)
        socket.write("hello\r\n")
        const answer = yield* Effect.callback<string>((resume) => {
          let text = ""
          socket.on("data", (bytes: Buffer) => (text += bytes.toString()))
          socket.once("close", () => resume(Effect.succeed(text)))
        })
        return { answer, from: `${local}:${socket.localPort}` }
      })
    )

  for (const [option, version] of [
    ["send-proxy", 1],
    ["send-proxy-v2", 2]
  ] as const) {
    live(
      `${option} names the client and where it connected to`,
      Effect.gen(function* () {
        const { port: back, seen } = yield* behind(tcp)
        const { port } = yield* running("", `${local}:${back} ${option}`)
        const client = yield* plainSocket(port)
        const from = `${local}:${(client.address() as net.AddressInfo).port}`
        client.write("hello\r\n")
        const answer = yield* Effect.callback<string>((resume) => {
          client.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
        })
        assert.strictEqual(answer, `hello from ${from}\n`)
        const mine = seen.find(({ peer }) => peer === from)!
        assert.deepStrictEqual([mine.header.version, mine.local], [version, `${local}:${port}`])
      })
    )
  }

  live(
    "send-proxy-v2 tells what it knows of the client's TLS, with a checksum that is right",
    Effect.gen(function* () {
      if (!certificates.available) return
      const { port: back, seen } = yield* behind(tcp)
      const { authorities, directory, port } = yield* running(
        "ssl crt CERT ca-file CA verify optional alpn h2,http/1.1",
        `${local}:${back} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,crc32c,authority,unique-id`,
        "unique-id-format id-%cp"
      )
      const { client } = identities
      const own = path.join(directory, "client.pem")
      fs.writeFileSync(own, `${client.certificate}${String(client.privateKey)}`, { mode: 0o600 })
      const s = yield* Child.spawn(
        openssl.path ?? "openssl",
        `s_client -quiet -connect ${local}:${port} -servername localhost -alpn h2 -CAfile ${authorities} -cert ${own}`.split(
          " "
        )
      )
      yield* s.write("hello\r\n")
      const [, from = ""] = yield* s.says(/hello from 127\.0\.0\.1:(\d+)/)
      const { header, security } = seen.find(({ peer }) => peer === `${local}:${from}`)!
      const { ssl, uniqueId, ...rest } = header.tlvs
      assert.deepStrictEqual(rest, { alpn: "h2", authority: "localhost", checksum: true })
      assert.strictEqual(Buffer.from(uniqueId!).toString(), `id-${from}`)
      const { signatureAlgorithm, keyAlgorithm, cipher, ...of } = ssl!
      assert.deepStrictEqual(of, {
        tls: true,
        certificateOnConnection: true,
        certificateInSession: true,
        verify: 0,
        version: "TLSv1.3",
        commonName: "a client"
      })
      assert.match(`${cipher} ${signatureAlgorithm} ${keyAlgorithm}`, /^TLS_AES_\S+ \S+-SHA256 (RSA|EC)\d+$/)
      assert.strictEqual(security, "Plain")
    })
  )

  live(
    "ssl and send-proxy-v2: the header first, then TLS of its own",
    Effect.gen(function* () {
      if (!certificates.available) return
      const { port: back, seen } = yield* behind(Endpoint.tls({ port: 0, interface: local, tls }))
      const { port } = yield* running("", `${local}:${back} ssl verify none send-proxy-v2`)
      const { answer } = yield* ask(port)
      assert.match(answer, /^hello from 127\.0\.0\.1:\d+\n$/)
      assert.strictEqual(seen.at(-1)!.security, "Tls")
    })
  )

  live(
    "a client's TLS passed through behind the header",
    Effect.gen(function* () {
      if (!certificates.available || openssl.path === undefined) return
      const { port: back, seen } = yield* behind(Endpoint.tls({ port: 0, interface: local, tls }))
      const { authorities, port } = yield* running("", `${local}:${back} send-proxy-v2`)
      const client = yield* Child.spawn(
        openssl.path,
        `s_client -quiet -connect ${local}:${port} -servername localhost -verify_return_error -CAfile ${authorities}`.split(
          " "
        )
      )
      yield* client.write("hello\r\n")
      yield* client.says(/hello from 127\.0\.0\.1:\d+/)
      assert.deepStrictEqual([seen.at(-1)!.security, seen.at(-1)!.local], ["Tls", `${local}:${port}`])
    })
  )

  live(
    "a health check is LOCAL, and succeeds",
    Effect.gen(function* () {
      const { port: back, seen } = yield* behind(tcp)
      const { child } = yield* running(
        "",
        `${local}:${back} check inter 50ms fall 1 rise 1 send-proxy-v2`,
        "option tcp-check"
      )
      yield* Effect.retry(
        Effect.suspend(() =>
          seen.filter(({ header }) => header.command === "Local").length > 2
            ? Effect.void
            : Effect.fail("not yet")
        ),
        { schedule: Schedule.spaced("20 millis"), times: 700 }
      )
      const { peer } = seen.find(({ header }) => header.command === "Local")!
      assert.match(peer, /^127\.0\.0\.1:/)
      assert.notInclude(child.stderr(), "is DOWN")
    })
  )

  live(
    "accept-proxy understands what we send: version 1, version 2",
    Effect.gen(function* () {
      const { port: back } = yield* behind(tcp)
      const { port } = yield* running(
        "accept-proxy",
        `${local}:${back} send-proxy-v2 proxy-v2-options crc32c,authority`
      )
      for (const version of [1, 2] as const) {
        const bytes = ProxyHeader.encode({
          version,
          addresses: {
            transport: "Stream",
            source: NetAddress.inetAddressFromStringUnsafe("[2001:db8::7]:70"),
            destination: NetAddress.inetAddressFromStringUnsafe("[::ffff:1.2.3.4]:80")
          },
          ...(version === 1 ? {} : { tlvs: { checksum: true, uniqueId: bytesOf("id") } })
        })
        const socket = yield* plainSocket(port)
        socket.write(Buffer.concat([yield* Effect.fromResult(bytes), Buffer.from("hello\r\n")]))
        const answer = yield* Effect.callback<string>((resume) => {
          socket.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
          socket.once("close", () => resume(Effect.succeed("closed")))
        })
        assert.strictEqual(answer, "hello from [2001:db8::7]:70\n")
      }
    })
  )

  live(
    "accept-proxy understands our client endpoint, in plaintext and in front of TLS",
    Effect.gen(function* () {
      const { port: back, seen } = yield* behind(tcp)
      const plain = yield* running("accept-proxy", `${local}:${back} send-proxy-v2`)
      const secured = certificates.available
        ? yield* running("accept-proxy ssl crt CERT", `${local}:${back} send-proxy-v2`)
        : undefined
      const client = ProxyHeader.decode(bytesOf(v2(0x21, 0x11, inet)))
      const behalf = (yield* Effect.fromResult(client))!.header
      const named = "192.0.2.1:56324"
      for (const [header, from] of [
        ["own", undefined],
        ["local", undefined],
        [behalf, named],
        [() => ({ ...behalf, version: 1 as const }), named]
      ] as const) {
        const inner = (port: number) =>
          Endpoint.proxiedClient({ inner: Endpoint.tcpClient({ host: local, port }), header })
        const endpoints: Array<Endpoint.Client> = [inner(plain.port)]
        if (secured !== undefined) {
          const tls = { authorities: [identities.authority.certificate], serverName: "localhost" }
          endpoints.push(Endpoint.securedClient({ inner: inner(secured.port), tls }))
        }
        for (const endpoint of endpoints) {
          const transport = yield* Client.connect(endpoint)
          yield* transport.send("hello\r\n")
          const answer = Buffer.from(yield* transport.receive).toString()
          assert.strictEqual(
            answer,
            `hello from ${from ?? NetAddress.formatSocketAddress(transport.local)}\n`
          )
          assert.strictEqual(seen.at(-1)!.header.command, "Proxy")
        }
      }
    })
  )
})
