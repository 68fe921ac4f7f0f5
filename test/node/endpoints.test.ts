/** Descriptions, from text to connections: TCP, UNIX sockets, PROXY headers. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Resolver from "../../src/reactor/Resolver.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { turns } from "../../src/testing/suite/check.ts"
import * as certificates from "../support/certificates.ts"
import { socketPath } from "../support/endpoints.ts"
import { unansweredPort } from "../support/unanswered.ts"
import { bytesOf } from "../reactor/proxyHeaders.ts"
import {
  accept,
  connected,
  dial,
  listen,
  live,
  muchBytes,
  open,
  outcome,
  portOf,
  probe,
  python,
  socketOf,
  streamOptions,
  streamOptionsAnswer,
  talks,
  workshop
} from "./endpoints.ts"
import { plainSocket, receiveAllText, socketEnd } from "./sockets.ts"

const now = { startImmediately: true } as const
const much = new Uint8Array(muchBytes)

// --- what all streams have in common ----------------------------------------------------------------------

/** Both texts, with `$PORT` and places of the test's own; `$OPTIONS` go to one side. */
interface Kind {
  readonly name: string
  readonly server: string
  readonly client: string
  readonly isTcp?: boolean
  readonly needsOpenssl?: boolean
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "tcp",
    server: "tcp:0:interface=127.0.0.1$OPTIONS",
    client: "tcp:127.0.0.1:$PORT$OPTIONS",
    isTcp: true
  },
  { name: "tcp6", server: "tcp6:0:interface=[::1]$OPTIONS", client: "tcp:[::1]:$PORT$OPTIONS", isTcp: true },
  {
    name: "tls",
    server: "tls:0:interface=127.0.0.1:privateKey=$KEY$OPTIONS",
    client: "tls:127.0.0.1:$PORT:trustRoots=$ROOTS$OPTIONS",
    isTcp: true,
    needsOpenssl: true
  },
  { name: "unix", server: "unix:$PATH$OPTIONS", client: "unix:$PATH$OPTIONS" },
  {
    name: "unix, abstract",
    server: "unix:$PATH:abstract=yes$OPTIONS",
    client: "unix:$PATH:abstract=yes$OPTIONS"
  }
]

const put = Effect.fnUntraced(function* (kind: Kind) {
  const { directory, file } = yield* workshop
  const { authority, server } = kind.needsOpenssl === true ? certificates.localhost() : nobodies
  const key = file("key.pem", server.certificate + server.privateKey)
  const roots = file("roots.pem", authority.certificate)
  return (text: string, options: string) =>
    text
      .replace("$KEY", key)
      .replace("$ROOTS", roots)
      .replace("$PATH", path.join(directory, "it.sock"))
      .replace("$OPTIONS", options)
})

const nobodies = { authority: certificates.nobody, server: certificates.nobody }

/** Nobody receives on `other`: `transport` gets rid of much, and takes as much, and is closed in no time. */
const isGenerous = Effect.fnUntraced(function* (
  transport: Transport,
  other: Transport,
  close: Effect.Effect<void>
) {
  yield* transport.send(much)
  yield* other.send(much)
  const began = performance.now()
  yield* close
  assert.isBelow(performance.now() - began, 5_000)
  const lost = yield* Effect.exit(other.receiveEach(() => Effect.void))
  assert.isTrue(Exit.isFailure(lost) || transport.peer._tag === "UnixPathAddress")
})

for (const kind of kinds) {
  describe.skipIf(kind.needsOpenssl === true && !certificates.available)(
    `stream options of ${kind.name}`,
    () => {
      live(
        "of a server",
        Effect.gen(function* () {
          const text = yield* put(kind)
          const { ours, theirs } = yield* connected(
            text(kind.server, `:${streamOptions}`),
            text(kind.client, "")
          )
          yield* talks(ours, theirs)
          yield* talks(ours, theirs)
          if (kind.isTcp === true && python !== undefined) {
            assert.strictEqual(yield* probe(socketOf(theirs)), streamOptionsAnswer)
            assert.match(yield* probe(socketOf(ours)), /^1 0 /)
          }
          yield* isGenerous(theirs, ours, (theirs as Closeable).close)
        })
      )

      live(
        "of a client",
        Effect.gen(function* () {
          const text = yield* put(kind)
          const { listener, next } = yield* listen(text(kind.server, ""))
          const scope = yield* Scope.make()
          const port = kind.isTcp === true ? String(portOf(listener)) : ""
          const ours = yield* dial(text(kind.client, `:${streamOptions}`).replace("$PORT", port)).pipe(
            Scope.provide(scope)
          )
          const theirs = yield* next
          yield* talks(ours, theirs)
          yield* talks(ours, theirs)
          if (kind.isTcp === true && python !== undefined) {
            assert.strictEqual(yield* probe(socketOf(ours)), streamOptionsAnswer)
            assert.match(yield* probe(socketOf(theirs)), /^1 0 /)
          }
          yield* isGenerous(ours, theirs, Scope.close(scope, Exit.void))
        })
      )

      live(
        "without them",
        Effect.gen(function* () {
          const text = yield* put(kind)
          const { ours, theirs } = yield* connected(text(kind.server, ""), text(kind.client, ""))
          const sending = yield* Effect.all([
            Effect.forkChild(ours.send(much), now),
            Effect.forkChild(theirs.send(much), now)
          ])
          yield* turns(200)
          for (const each of sending) assert.isUndefined(each.pollUnsafe(), "nobody may take so much")
          yield* ours.abort
          yield* theirs.abort
          yield* Fiber.awaitAll(sending)
        })
      )

      live(
        "the backlog",
        Effect.gen(function* () {
          const text = yield* put(kind)
          const listener = yield* open(text(kind.server, ":backlog=2"))
          const port = kind.isTcp === true ? String(portOf(listener)) : ""
          const client = text(kind.client, "").replace("$PORT", port)
          yield* Effect.all(
            Array.from({ length: 6 }, () => Effect.forkScoped(Effect.exit(dial(client)), now))
          )
          yield* turns(400)
          const { accepted } = yield* accept(listener)
          assert.strictEqual(accepted.length, 2)
          yield* listener.stop
        })
      )
    }
  )
}

// --- ports ------------------------------------------------------------------------------------------------

describe("tcp", () => {
  live(
    "a server is where it is told, and a client comes from where it is told",
    Effect.gen(function* () {
      const free = portOf(yield* open("tcp:0:interface=127.0.0.3"))
      const { listener, next } = yield* listen("tcp:port=0:interface=127.0.0.2")
      assert.strictEqual(NetAddress.formatSocketAddress(listener.address), `127.0.0.2:${portOf(listener)}`)
      yield* dial(`tcp:127.0.0.2:${portOf(listener)}:bindAddress=127.0.0.4`)
      assert.match(NetAddress.formatSocketAddress((yield* next).peer), /^127\.0\.0\.4:\d+$/)
      const bound = `tcp:host=127.0.0.2:port=${portOf(listener)}:bindAddress=127.0.0.5:bindPort=${free}`
      yield* dial(bound)
      assert.strictEqual(NetAddress.formatSocketAddress((yield* next).peer), `127.0.0.5:${free}`)
      assert.strictEqual(yield* outcome(dial(bound)), "BindFailed")
      assert.strictEqual(yield* outcome(dial(`tcp:127.0.0.1:${portOf(listener)}`)), "Refused")
    })
  )

  live(
    "reusePort shares it, and nothing else does",
    Effect.gen(function* () {
      const first = yield* open("tcp:0:interface=127.0.0.1:reusePort=yes")
      const second = yield* open(`tcp:${portOf(first)}:interface=127.0.0.1:reusePort=yes`)
      assert.strictEqual(portOf(second), portOf(first))
      assert.strictEqual(yield* outcome(open(`tcp:${portOf(first)}:interface=127.0.0.1`)), "AddressInUse")
      const six = yield* open("tcp6:0:interface=[::1]:reusePort=yes")
      yield* open(`tcp6:${portOf(six)}:interface=[::1]:reusePort=yes`)
    })
  )

  live(
    "tcp6 takes IPv4, too, unless ipv6Only",
    Effect.gen(function* () {
      const both = yield* listen("tcp6:0")
      yield* dial(`tcp:127.0.0.1:${portOf(both.listener)}`)
      assert.include(NetAddress.formatSocketAddress((yield* both.next).peer), "127.0.0.1")
      const { listener, next } = yield* listen("tcp6:0:ipv6Only=yes")
      assert.strictEqual(yield* outcome(dial(`tcp:127.0.0.1:${portOf(listener)}`)), "Refused")
      const ours = yield* dial(`tcp:[::1]:${portOf(listener)}`)
      yield* talks(ours, yield* next)
    })
  )

  live(
    "a timeout ends the attempt",
    Effect.gen(function* () {
      const port = yield* unansweredPort
      const began = performance.now()
      assert.strictEqual(yield* outcome(dial(`tcp:127.0.0.1:${port}:timeout=0.2`)), "TimedOut")
      assert.isBelow(performance.now() - began, 5_000)
      // A name that is resolved to one that does not answer, and one that does.
      const resolver = Resolver.fromHosts(
        Host.parseHostsFile("127.0.0.1 two.example\n127.0.0.2 two.example\n")
      )
      const { next } = yield* listen(`tcp:${port}:interface=127.0.0.2`)
      const named = (options: string) =>
        Effect.provide(dial(`tcp:two.example:${port}:${options}`), NodeReactor.layerWith({ resolver }))
      yield* talks(yield* named("attemptDelay=0.02:timeout=10"), yield* next)
      assert.strictEqual(yield* outcome(named("attemptDelay=100:timeout=0.2")), "TimedOut")
    })
  )
})

// --- UNIX sockets -----------------------------------------------------------------------------------------

describe("unix", () => {
  live(
    "the file has its mode, and a lock beside it",
    Effect.gen(function* () {
      const file = yield* socketPath
      const { listener, next } = yield* listen(`unix:${file}:mode=620`)
      const { mode } = fs.statSync(file)
      assert.strictEqual(mode & 0o777, 0o620)
      assert.strictEqual(fs.readlinkSync(`${file}.lock`), String(process.pid))
      yield* talks(yield* dial(`unix:path=${file}:lock=yes:timeout=5`), yield* next)
      yield* listener.stop
      assert.isFalse(fs.existsSync(file))
      assert.isFalse(fs.existsSync(`${file}.lock`))
    })
  )

  live(
    "without a lock there is none, and who looks for one is refused",
    Effect.gen(function* () {
      const file = yield* socketPath
      const { next } = yield* listen(`unix:${file}:lockfile=no`)
      assert.strictEqual(fs.statSync(file).mode & 0o777, 0o666)
      assert.isFalse(fs.existsSync(`${file}.lock`))
      yield* talks(yield* dial(`unix:${file}`), yield* next)
      assert.strictEqual(yield* outcome(dial(`unix:${file}:lock=yes`)), "BadFile")
      assert.strictEqual(yield* outcome(open(`unix:${file}`)), "AddressInUse")
    })
  )

  live(
    "a name without a file is known to the system, and to nobody else",
    Effect.gen(function* () {
      const name = `spindle ${process.pid} endpoints`
      const { next } = yield* listen(`unix:${name}:abstract=yes`)
      assert.include(fs.readFileSync("/proc/net/unix", "utf8"), `@${name}`)
      assert.isFalse(fs.existsSync(name))
      yield* talks(yield* dial(`unix:${name}:abstract=yes`), yield* next)
    })
  )

  live(
    "a path may have anything in it that is escaped",
    Effect.gen(function* () {
      const file = path.join(path.dirname(yield* socketPath), "a:b=c\\d e")
      const escaped = file.replaceAll("\\", "\\\\").replaceAll(":", "\\:").replaceAll("=", "\\=")
      const { next } = yield* listen(`unix:${escaped}`)
      assert.isTrue(fs.existsSync(file))
      yield* talks(yield* dial(`unix:${escaped}`), yield* next)
    })
  )
})

// --- PROXY headers ----------------------------------------------------------------------------------------

describe("haproxy", () => {
  /** A plain client that sends this first. */
  const proxy = Effect.fnUntraced(function* (port: number, header: string) {
    const socket = yield* plainSocket(port)
    socket.write(bytesOf(header))
    return socket
  })

  const header = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"

  live(
    "a connection of somebody trusted is known by its header",
    Effect.gen(function* () {
      const { listener, next } = yield* listen("haproxy:trusted=127.0.0.0/8,[::1]:tcp:0:interface=127.0.0.1")
      yield* proxy(portOf(listener), `${header}hello`)
      const { peer, local, receive } = yield* next
      assert.deepStrictEqual([peer, local].map(NetAddress.formatSocketAddress), [
        "192.0.2.1:56324",
        "198.51.100.7:443"
      ])
      assert.strictEqual(String(Buffer.from(yield* receive)), "hello")
    })
  )

  live(
    "others are closed: strangers, who says nothing in time, who says too much",
    Effect.gen(function* () {
      const stranger = yield* listen("haproxy:trusted=10.0.0.0/8:tcp:0:interface=127.0.0.1")
      const closed = yield* proxy(portOf(stranger.listener), header)
      assert.notStrictEqual((yield* socketEnd(closed)).how, "end")
      const { accepted, listener } = yield* listen(
        "haproxy:trusted=127.0.0.1:headerTimeout=0.05:headerBytesMax=60:tcp:0:interface=127.0.0.1"
      )
      const began = performance.now()
      assert.notStrictEqual((yield* socketEnd(yield* proxy(portOf(listener), "PROXY "))).how, "end")
      assert.isBelow(performance.now() - began, 4_000)
      const long = `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x46${"x".repeat(70)}`
      assert.notStrictEqual((yield* socketEnd(yield* proxy(portOf(listener), long))).how, "end")
      assert.deepStrictEqual([...stranger.accepted, ...accepted], [])
    })
  )

  live(
    "over a UNIX socket, and twice",
    Effect.gen(function* () {
      const file = yield* socketPath
      const { next } = yield* listen(`haproxy:trusted=unix:haproxy:trusted=unix:unix:${file}:mode=600`)
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => net.connect(file)),
        (socket) => Effect.sync(() => socket.destroy())
      )
      socket.end(bytesOf(`PROXY UNKNOWN\r\n${header}x`))
      const transport = yield* next
      assert.strictEqual(NetAddress.formatSocketAddress(transport.peer), "192.0.2.1:56324")
      assert.strictEqual(yield* receiveAllText(transport), "x")
    })
  )

  live(
    "a client that names itself, or nobody, and then talks",
    Effect.gen(function* () {
      const { listener, next } = yield* listen("haproxy:trusted=127.0.0.1:tcp:0:interface=127.0.0.1")
      for (const own of ["haproxy:", "haproxy:version=1:", "haproxy:version=2:", "haproxy:local=yes:"]) {
        const ours = yield* dial(`${own}tcp:127.0.0.1:${portOf(listener)}`)
        const theirs = yield* next
        assert.deepStrictEqual(
          [theirs.peer, theirs.local].map(NetAddress.formatSocketAddress),
          [ours.local, ours.peer].map(NetAddress.formatSocketAddress)
        )
        yield* talks(ours, theirs)
      }
    })
  )

  live.skipWithoutOpenssl(
    "TLS is behind the header, wherever it is written",
    Effect.gen(function* () {
      const { file } = yield* workshop
      const { authority, server } = certificates.localhost()
      const key = file("key.pem", server.certificate + server.privateKey)
      const roots = file("roots.pem", authority.certificate)
      for (const text of [
        `haproxy:trusted=127.0.0.1:tls:0:interface=127.0.0.1:privateKey=${key}`,
        `haproxy:trusted=127.0.0.1:secured:privateKey=${key}:tcp:0:interface=127.0.0.1`,
        `secured:privateKey=${key}:haproxy:trusted=127.0.0.1:tcp:0:interface=127.0.0.1`
      ]) {
        const { listener, next } = yield* listen(text)
        const relay = yield* relaying(portOf(listener), header)
        const ours = yield* dial(`secured:hostname=localhost:trustRoots=${roots}:tcp:127.0.0.1:${relay}`)
        const theirs = yield* next
        assert.strictEqual(NetAddress.formatSocketAddress(theirs.peer), "192.0.2.1:56324")
        assert.strictEqual(theirs.security._tag, "Tls")
        yield* talks(ours, theirs)
      }
    })
  )
})

/** A proxy: what comes to its port goes on to `port`, behind a header. */
const relaying = (port: number, header: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: net.Server; readonly sockets: Array<net.Socket> }>((resume) => {
        const sockets: Array<net.Socket> = []
        const server = net.createServer((from) => {
          const to = net.connect(port, "127.0.0.1")
          sockets.push(from, to)
          for (const socket of [from, to]) socket.on("error", () => {})
          to.write(header)
          from.pipe(to).pipe(from)
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, sockets })))
      }),
      ({ server, sockets }) =>
        Effect.sync(() => {
          server.close()
          for (const socket of sockets) socket.destroy()
        })
    ),
    ({ server }) => (server.address() as net.AddressInfo).port
  )
