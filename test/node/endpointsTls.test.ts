/** Descriptions with TLS, from text to handshakes. */
import type * as net from "node:net"
import * as tls from "node:tls"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Resolver from "../../src/reactor/Resolver.ts"
import { turns } from "../../src/testing/suite/check.ts"
import * as certificates from "../support/certificates.ts"
import { unansweredPort } from "../support/unanswered.ts"
import {
  connected,
  dial,
  listen,
  live,
  open,
  outcome,
  portOf,
  securityOf,
  talks,
  workshop
} from "./endpoints.ts"
import { plainSocket, socketEnd } from "./sockets.ts"

const { authority, client, server } = certificates.available
  ? certificates.localhost()
  : { authority: certificates.nobody, client: certificates.nobody, server: certificates.nobody }

/** Files by name, and what puts their paths into a description: `$server`, `$path`. */
const files = Effect.map(workshop, ({ directory, file }) => {
  const between = authority.intermediate("Between")
  const chained = between.issue({ names: ["localhost"] })
  const written = {
    server: file("server.pem", server.certificate + server.privateKey),
    certificate: file("certificate.pem", server.certificate),
    key: file("key.pem", server.privateKey),
    roots: file("roots.pem", authority.certificate),
    client: file("client.pem", client.certificate),
    clientKey: file("client-key.pem", client.privateKey),
    chained: file("chained.pem", chained.certificate + chained.privateKey),
    between: file("between.pem", between.certificate),
    others: file("others.pem", certificates.freshAuthority("Others").certificate),
    path: `${directory}/it.sock`
  }
  return (text: string) =>
    text.replace(/\$([a-z]+)/gi, (all, name: string) => (written as Record<string, string>)[name] ?? all)
})

const local = "interface=127.0.0.1"

/** A client of Node's own, which shows what the server itself does. */
const peer = (options: tls.ConnectionOptions) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: tls.TLSSocket; readonly error: string | undefined }>((resume) => {
      const socket = tls.connect({ host: "127.0.0.1", ca: authority.certificate, ...options }, () =>
        resume(Effect.succeed({ socket, error: undefined }))
      )
      socket.on("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed({ socket, error: code })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe.skipIf(!certificates.available)("tls and secured", () => {
  /** The same arguments on either: what stands before and behind them. */
  const servers = [
    ["tls", `tls:0:${local}:ARGUMENTS`],
    ["ssl", `ssl:port=0:${local}:ARGUMENTS`],
    ["secured", `secured:ARGUMENTS:tcp:0:${local}`]
  ] as const
  const clients = [
    ["tls", "tls:127.0.0.1:$PORT:ARGUMENTS"],
    ["ssl", "ssl:host=127.0.0.1:port=$PORT:ARGUMENTS"],
    ["secured", "secured:ARGUMENTS:tcp:127.0.0.1:$PORT"]
  ] as const
  const trusting = "hostname=localhost:trustRoots=$roots"

  for (const [scheme, text] of servers) {
    const described = (path: (text: string) => string, args: string) => path(text.replace("ARGUMENTS", args))

    describe(`server ${scheme}`, () => {
      for (const [name, args, clientArgs] of [
        ["key and certificate in one file", "privateKey=$server", trusting],
        ["key and certificate in two files", "privateKey=$key:certKey=$certificate", trusting],
        ["under its other name", "privateKey=$key:certificate=$certificate", trusting],
        ["with the chain in a third", "privateKey=$chained:extraCertChain=$between", trusting]
      ] as const) {
        live(
          name,
          Effect.gen(function* () {
            const path = yield* files
            const { ours, theirs } = yield* connected(
              described(path, args),
              path(`tls:127.0.0.1:$PORT:${clientArgs}`)
            )
            assert.isTrue(securityOf(ours).peerVerified)
            yield* talks(ours, theirs)
          })
        )
      }

      live(
        "the names of protocols, the version, the ciphers",
        Effect.gen(function* () {
          const path = yield* files
          const { listener } = yield* listen(
            described(
              path,
              "privateKey=$server:alpn=h2,http/1.1:versionMin=TLSv1.3:ciphers=TLS_CHACHA20_POLY1305_SHA256"
            )
          )
          const port = portOf(listener)
          const { socket } = yield* peer({
            port,
            servername: "localhost",
            ALPNProtocols: ["http/1.1", "h2"]
          })
          assert.deepStrictEqual(
            [socket.alpnProtocol, socket.getProtocol(), socket.getCipher().standardName],
            ["h2", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"]
          )
          const old = yield* peer({ port, servername: "localhost", maxVersion: "TLSv1.2" })
          assert.match(String(old.error), /PROTOCOL_VERSION|ECONNRESET/)
        })
      )

      live(
        "certificates of clients: required, asked for, not wanted",
        Effect.gen(function* () {
          const path = yield* files
          const own = `${trusting}:certificate=$client:privateKey=$clientKey`
          const to = (port: number, args: string) => dial(path(`tls:127.0.0.1:${port}:${args}`))

          const required = yield* listen(
            described(path, "privateKey=$server:clientCertificate=require:clientAuthorities=$roots")
          )
          yield* to(portOf(required.listener), own)
          const { peerCertificate, peerVerified } = securityOf(yield* required.next)
          assert.strictEqual(
            Buffer.from(peerCertificate!).toString("base64"),
            certificates.derOf(client.certificate)
          )
          assert.isTrue(peerVerified)
          const without = yield* to(portOf(required.listener), trusting)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(without.receive)))
          assert.strictEqual(required.accepted.length, 1)

          const asked = yield* listen(
            described(path, "privateKey=$server:clientCertificate=request:clientAuthorities=$others")
          )
          yield* to(portOf(asked.listener), own)
          const shown = securityOf(yield* asked.next)
          assert.deepStrictEqual([shown.peerCertificate === undefined, shown.peerVerified], [false, false])
          yield* to(portOf(asked.listener), trusting)
          assert.isUndefined(securityOf(yield* asked.next).peerCertificate)

          const none = yield* listen(described(path, "privateKey=$server:clientCertificate=none"))
          yield* to(portOf(none.listener), own)
          assert.isUndefined(securityOf(yield* none.next).peerCertificate)
        })
      )

      live(
        "who says nothing is closed, and who is one too many",
        Effect.gen(function* () {
          const path = yield* files
          const slow = yield* open(described(path, "privateKey=$server:handshakeTimeout=0.05"))
          const began = performance.now()
          yield* socketEnd(yield* plainSocket(portOf(slow)))
          assert.isBelow(performance.now() - began, 5_000)

          const narrow = yield* listen(described(path, "privateKey=$server:handshakesMax=1"))
          const first = yield* plainSocket(portOf(narrow.listener))
          yield* turns(20)
          const second = yield* plainSocket(portOf(narrow.listener))
          yield* socketEnd(second)
          assert.isFalse(first.destroyed)
        })
      )

      live(
        "a key of another certificate is said at once",
        Effect.gen(function* () {
          const path = yield* files
          const text = described(path, "privateKey=$clientKey:certKey=$certificate")
          assert.strictEqual(yield* outcome(open(text)), "InvalidTlsOptions")
        })
      )
    })
  }

  for (const [scheme, text] of clients) {
    describe(`client ${scheme}`, () => {
      const from = (path: (text: string) => string, port: number, args: string) =>
        dial(path(text.replace("ARGUMENTS", args)).replace("$PORT", String(port)))

      live(
        "whom it trusts, and for which name",
        Effect.gen(function* () {
          const path = yield* files
          const { listener, next } = yield* listen(path(`tls:0:${local}:privateKey=$server`))
          const port = portOf(listener)
          const ours = yield* from(path, port, trusting)
          assert.strictEqual(securityOf(yield* next).serverName, "localhost")
          assert.isTrue(securityOf(ours).peerVerified)
          // The name that is connected to: the certificate holds the address, too.
          yield* from(path, port, "trustRoots=$roots")
          assert.isUndefined(securityOf(yield* next).serverName)
          for (const args of [
            "hostname=other.example:trustRoots=$roots",
            "trustRoots=$others",
            "resume=no"
          ]) {
            assert.strictEqual(yield* outcome(from(path, port, args)), "CertificateRejected", args)
          }
        })
      )

      live(
        "sessions are resumed, unless not",
        Effect.gen(function* () {
          const path = yield* files
          const { listener, next } = yield* listen(path(`tls:0:${local}:privateKey=$server`))
          const again = (args: string) =>
            Effect.gen(function* () {
              const scope = yield* Scope.make()
              const ours = yield* Scope.provide(from(path, portOf(listener), `${trusting}${args}`), scope)
              const theirs = yield* next
              // Tickets come behind the handshake.
              yield* talks(ours, theirs)
              const { resumed } = securityOf(ours)
              yield* theirs.abort
              yield* Scope.close(scope, Exit.void)
              return resumed
            })
          assert.deepStrictEqual(
            [yield* again(":resume=no"), yield* again(":resume=no"), yield* again(":resume=yes")],
            [false, false, false]
          )
        })
      )

      live(
        "the names of protocols, the version, the ciphers",
        Effect.gen(function* () {
          const path = yield* files
          const { listener, next } = yield* listen(path(`tls:0:${local}:privateKey=$server:alpn=b,a`))
          const args = ":alpn=a,b:ciphers=TLS_CHACHA20_POLY1305_SHA256:versionMin=TLSv1.3"
          const ours = yield* from(path, portOf(listener), `${trusting}${args}`)
          const { alpn, cipher, protocol } = securityOf(ours)
          assert.deepStrictEqual([alpn, protocol, cipher], ["b", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"])
          yield* talks(ours, yield* next)
          // A server that has only older ones.
          const old = yield* Effect.acquireRelease(
            Effect.callback<tls.Server>((resume) => {
              const { certificate: cert, privateKey: key } = server
              const made = tls.createServer({ cert, key, maxVersion: "TLSv1.2" }, (socket) =>
                socket.destroy()
              )
              made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
            }),
            (made) => Effect.sync(() => made.close())
          )
          const { port } = old.address() as net.AddressInfo
          assert.strictEqual(
            yield* outcome(from(path, port, `${trusting}:versionMin=TLSv1.3`)),
            "HandshakeFailed"
          )
        })
      )

      live(
        "its own certificate, under both names",
        Effect.gen(function* () {
          const path = yield* files
          const { listener, next } = yield* listen(
            path(`tls:0:${local}:privateKey=$server:clientCertificate=require:clientAuthorities=$roots`)
          )
          for (const name of ["certificate", "certKey"]) {
            yield* from(path, portOf(listener), `${trusting}:${name}=$client:privateKey=$clientKey`)
            assert.isTrue(securityOf(yield* next).peerVerified)
          }
        })
      )

      live(
        "a server that never answers",
        Effect.gen(function* () {
          const path = yield* files
          const mute = yield* listen(`tcp:0:${local}`)
          const began = performance.now()
          const slow = from(path, portOf(mute.listener), `${trusting}:handshakeTimeout=0.05`)
          assert.strictEqual(yield* outcome(slow), "TimedOut")
          assert.isBelow(performance.now() - began, 5_000)
        })
      )
    })
  }

  live(
    "sessions are resumed by default",
    Effect.gen(function* () {
      const path = yield* files
      for (const client of [`tls:127.0.0.1:$PORT:${trusting}`, `secured:${trusting}:tcp:127.0.0.1:$PORT`]) {
        const { listener, next } = yield* listen(path(`tls:0:${local}:privateKey=$server`))
        const resumed: Array<boolean> = []
        for (let i = 0; i < 2; i++) {
          const ours = yield* dial(path(client).replace("$PORT", String(portOf(listener))))
          yield* talks(ours, yield* next)
          resumed.push(securityOf(ours).resumed)
        }
        assert.deepStrictEqual(resumed, [false, true])
      }
    })
  )

  live(
    "of a tls client: where from, for how long, and by which address",
    Effect.gen(function* () {
      const path = yield* files
      const free = portOf(yield* open("tcp:0:interface=127.0.0.3"))
      const port = yield* unansweredPort
      const { next } = yield* listen(path(`tls:${port}:interface=127.0.0.2:privateKey=$server`))
      yield* dial(path(`tls:127.0.0.2:${port}:${trusting}:bindAddress=127.0.0.5:bindPort=${free}`))
      assert.strictEqual(NetAddress.formatSocketAddress((yield* next).peer), `127.0.0.5:${free}`)

      const hosts = Host.parseHostsFile("127.0.0.1 localhost\n127.0.0.2 localhost\n")
      const named = (options: string) =>
        Effect.provide(
          dial(path(`tls:localhost:${port}:trustRoots=$roots:${options}`)),
          NodeReactor.layerWith({ resolver: Resolver.fromHosts(hosts) })
        )
      yield* talks(yield* named("attemptDelay=0.02:timeout=10"), yield* next)
      assert.strictEqual(yield* outcome(named("attemptDelay=100:timeout=0.2")), "TimedOut")
      const mute = yield* listen(`tcp:0:${local}`)
      const slow = dial(path(`tls:127.0.0.1:${portOf(mute.listener)}:${trusting}:timeout=0.05`))
      assert.strictEqual(yield* outcome(slow), "TimedOut")
    })
  )

  live(
    "ports of tls: shared, of IPv6 only",
    Effect.gen(function* () {
      const path = yield* files
      const first = yield* open(path(`tls:0:${local}:privateKey=$server:reusePort=yes`))
      yield* open(path(`tls:${portOf(first)}:${local}:privateKey=$server:reusePort=yes`))
      const six = yield* listen(path("tls:0:interface=[::]:ipv6Only=yes:privateKey=$server"))
      const ours = yield* dial(path(`tls:[::1]:${portOf(six.listener)}:${trusting}`))
      yield* talks(ours, yield* six.next)
      assert.strictEqual(yield* outcome(dial(`tcp:127.0.0.1:${portOf(six.listener)}`)), "Refused")
    })
  )

  live(
    "secured around everything: a UNIX socket, itself, a header",
    Effect.gen(function* () {
      const path = yield* files
      for (const [server, client] of [
        ["secured:privateKey=$server:unix:$path:mode=600", `secured:${trusting}:unix:$path`],
        [
          `secured:privateKey=$server:secured:privateKey=$server:unix:$path`,
          `secured:${trusting}:secured:${trusting}:unix:$path`
        ],
        [
          `secured:privateKey=$server:tls:0:${local}:privateKey=$server`,
          `secured:${trusting}:tls:127.0.0.1:$PORT:${trusting}`
        ]
      ] as const) {
        const { listener, ours, theirs } = yield* connected(path(server), path(client))
        assert.deepStrictEqual([ours.security._tag, theirs.security._tag], ["Tls", "Tls"])
        yield* talks(ours, theirs)
        yield* listener.stop
      }
    })
  )
})
