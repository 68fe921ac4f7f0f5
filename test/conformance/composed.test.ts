/** Endpoints made of other endpoints, and of other people's: the suites, over everything that can be put together. */
import * as fs from "node:fs"
import * as net from "node:net"
import { MessageChannel } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeHandoff from "../../src/node/NodeHandoff.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import type { Listener } from "../../src/reactor/Listener.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { accepting, read, world } from "../memory/pair.ts"
import * as certificates from "../support/certificates.ts"
import { conformance } from "../support/conformance.ts"
import { memoryResources } from "../support/convertedPairs.ts"
import { echoTls, inetOf, pathOf, socketPath, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"
import * as Switchboard from "../support/switchboard.ts"

// --- what is below --------------------------------------------------------------------------------------

/** Two sides of a kind of endpoint, with what can be said of the places it is at. */
interface Kind extends Pick<
  ReactorSuite.Subject,
  "server" | "serverAt" | "client" | "named" | "onPort" | "refused"
> {
  /** The endpoint that reaches somebody who never says a word. */
  readonly silent?:
    | ((options?: Endpoint.ConnectOptions) => Effect.Effect<Endpoint.Client, unknown, Reactor | Scope.Scope>)
    | undefined
}

const tcp: Kind = {
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  named: (host, port, options) => Endpoint.tcpClient({ ...options, host, port }),
  onPort: (host, port) => Endpoint.tcp({ interface: host, port })
}

/** A socket file whose listener is gone, as a crash leaves it. */
const staleFile = Effect.flatMap(socketPath, (path) =>
  Effect.callback<string>((resume) => {
    const server = net.createServer().listen(path, () => {
      // Node removes the file by its name.
      fs.renameSync(path, `${path}.stale`)
      server.close(() => resume(Effect.succeed(`${path}.stale`)))
    })
  })
)

const unix: Kind = {
  server: (options) => Effect.map(socketPath, (path) => Endpoint.unix({ ...options, path })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) }),
  refused: Effect.map(staleFile, (path) => Endpoint.unixClient({ path }))
}

/** The same kind, with something around its endpoints. */
const around = (
  { client, named, onPort, refused, server, serverAt }: Kind,
  wrapServer: (inner: Endpoint.Server) => Endpoint.Server,
  wrapClient: (inner: Endpoint.Client) => Endpoint.Client
): Kind => ({
  server: (options) => Effect.map(server(options), wrapServer),
  serverAt: (address) => wrapServer(serverAt(address)),
  client: (address, options) => wrapClient(client(address, options)),
  named: named && ((host, port, options) => wrapClient(named(host, port, options))),
  onPort: onPort && ((host, port) => wrapServer(onPort(host, port))),
  refused: refused && Effect.map(refused, wrapClient)
})

// --- what goes around -----------------------------------------------------------------------------------

interface Trusting {
  readonly server: Tls.ServerOptions
  readonly client: Tls.ClientOptions
}

const secured = (kind: Kind, tls: Trusting): Kind => ({
  ...around(
    kind,
    (inner) => Endpoint.secured({ inner, tls: tls.server }),
    (inner) => Endpoint.securedClient({ inner, tls: tls.client })
  ),
  // Somebody listens there, and never says a word of TLS.
  silent: (options) =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* kind.server())
      const handshakeTimeout = options?.timeout ?? "30 seconds"
      return Endpoint.securedClient({
        inner: kind.client(listener.address, options),
        tls: { ...tls.client, handshakeTimeout }
      })
    })
})

/** As a proxy connects: the header names our own ends, so that both sides agree on them. */
const proxying =
  (version: 1 | 2) =>
  (inner: Endpoint.Client): Endpoint.ProxiedClient =>
    Endpoint.proxiedClient({ inner, version })

const proxied = (kind: Kind, version: 1 | 2 = 2): Kind =>
  around(
    kind,
    (inner) => Endpoint.proxied({ inner, proxy: { trusted: ["127.0.0.0/8", "unix"] } }),
    proxying(version)
  )

/** As `tls:` and `secured:` behind `haproxy:` do it: the header is outside. */
const tlsBehindHeader = (kind: Kind, tls: Trusting): Kind => {
  const plain = proxied(kind)
  const { server, serverAt } = around(
    kind,
    (inner) =>
      Endpoint.proxied({
        inner: Endpoint.secured({ inner, tls: tls.server }),
        proxy: { trusted: ["127.0.0.1"] }
      }),
    (inner) => inner
  )
  return { ...secured(plain, tls), server, serverAt }
}

// --- handed from port to port of one thread ----------------------------------------------------------------

const channel = Effect.acquireRelease(
  Effect.sync(() => new MessageChannel()),
  ({ port1, port2 }) =>
    Effect.sync(() => {
      port1.close()
      port2.close()
    })
)

/** Accepted by one listener, served by another one; it has the address of the first. */
const handedOver = (inner: Endpoint.Server, options?: Endpoint.ListenOptions): Endpoint.CustomServer =>
  Endpoint.custom({
    description: "handed over",
    backlog: options?.backlog,
    listen: Effect.gen(function* () {
      const reactor = yield* Reactor
      const { port1, port2 } = yield* channel
      const inside = yield* reactor.listen(NodeHandoff.endpoint(port2, options))
      const give = yield* NodeHandoff.distribute([port1])
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const outside = yield* reactor.listen(inner)
      const hand = (transport: Closeable) => {
        run(Effect.ensuring(Effect.exit(give(transport)), transport.close))
      }
      yield* Effect.forkScoped(outside.acceptEach(hand), { startImmediately: true })
      return {
        address: outside.address,
        acceptEach: inside.acceptEach,
        settle: Effect.andThen(outside.settle, inside.settle),
        stop: Effect.andThen(outside.stop, inside.stop)
      } satisfies Listener
    })
  })

const handed: Kind = {
  ...tcp,
  server: (options) => Effect.map(tcp.server(options), (inner) => handedOver(inner, options)),
  serverAt: (address) => handedOver(tcp.serverAt(address)),
  onPort: (host, port) => handedOver(tcp.onPort!(host, port))
}

// --- somebody else's ------------------------------------------------------------------------------------

let names = 0
const theirs = { schemes: [Switchboard.scheme] }

const described = <E>(parsed: Result.Result<E, EndpointDescription.EndpointDescriptionError>): E =>
  Result.getOrThrow(parsed)

const switchboard: Kind = {
  server: (options) =>
    Effect.sync(() =>
      options === undefined
        ? described(EndpointDescription.parseServerSync(`switchboard:n${names++}`, theirs))
        : Switchboard.server(`n${names++}`, options)
    ),
  serverAt: (address) =>
    described(EndpointDescription.parseServerSync(`switchboard:${pathOf(address)}`, theirs)),
  client: (address, options) => Switchboard.client(pathOf(address), options)
}

// --- all of it ------------------------------------------------------------------------------------------

interface Run {
  readonly name: string
  readonly kind: Kind
  readonly layer: Layer.Layer<Reactor>
  readonly capabilities: ReadonlyArray<TransportSuite.Capability>
  readonly systemBytesMax: number
  readonly security?: "Tls" | undefined
  /** For STARTTLS on it. */
  readonly tls?: ReactorSuite.TlsMaterial | undefined
  readonly resources: TransportSuite.Resources
  readonly needsOpenssl?: boolean | undefined
}

const real = echoTls() ?? { server: { identity: { certificate: "", privateKey: "" } }, client: {} }
const standIn = {
  server: { identity: { certificate: "a certificate", privateKey: "its key" }, alpn: ["other", "echo"] },
  client: { alpn: ["echo"], serverName: "localhost" },
  standIn: true
} as const

const network = new MemoryNetwork.MemoryNetwork({})
const networkResources = Effect.map(network.statistics, ({ connections, events, ports }) => [
  ...ports,
  ...Array.from({ length: connections }, () => "connection"),
  ...Array.from({ length: events }, () => "event")
])
const everything = Effect.zipWith(resources, memoryResources, (first, second) => [...first, ...second])

/** The marks of the transport below, both sides, and what the streams in between hold of records. */
const layerBytesMax = 8 * 65_536
const unixSystemBytesMax = 2 * 1024 * 1024
const memorySystemBytesMax = 2 * 65_536

const node = { layer: NodeReactor.layer, resources }
const memory = { layer: MemoryReactor.layerOn(network), resources: networkResources }
const inet = ["HalfClose", "Reset", "Chunks", "Addresses"] as const

const runs: ReadonlyArray<Run> = [
  {
    ...node,
    name: "TLS over UNIX",
    kind: secured(unix, real),
    // A UNIX socket has no reset.
    capabilities: ["HalfClose", "Chunks"],
    systemBytesMax: unixSystemBytesMax + layerBytesMax,
    security: "Tls",
    needsOpenssl: true
  },
  {
    ...node,
    name: "a PROXY header over TCP",
    kind: proxied(tcp),
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax,
    tls: echoTls()
  },
  {
    ...node,
    name: "two PROXY headers over TCP",
    kind: proxied(proxied(tcp, 1)),
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax
  },
  {
    ...node,
    name: "a PROXY header over UNIX",
    kind: proxied(unix),
    // An accepted connection knows the peer's address only by the header: it has no name.
    capabilities: ["HalfClose", "Chunks"],
    systemBytesMax: unixSystemBytesMax,
    tls: echoTls()
  },
  {
    ...node,
    name: "TLS behind a PROXY header",
    kind: tlsBehindHeader(tcp, real),
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax + layerBytesMax,
    security: "Tls",
    needsOpenssl: true
  },
  {
    ...node,
    name: "TLS in TLS",
    kind: secured(secured(tcp, real), real),
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax + 2 * layerBytesMax,
    security: "Tls",
    needsOpenssl: true
  },
  {
    ...node,
    name: "somebody else's endpoint",
    kind: switchboard,
    // It has no addresses; and its streams change to TLS only by NodeTlsOver.
    capabilities: ["HalfClose", "Reset", "Chunks"],
    systemBytesMax: 4 * 65_536,
    resources: everything
  },
  {
    ...node,
    name: "connections handed over",
    kind: handed,
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax,
    tls: echoTls()
  },
  {
    ...node,
    name: "TLS on connections handed over",
    kind: {
      ...secured(tcp, real),
      server: (options) =>
        Effect.map(handed.server(options), (inner) => Endpoint.secured({ inner, tls: real.server })),
      serverAt: (address: NetAddress.SocketAddress) =>
        Endpoint.secured({ inner: handed.serverAt(address), tls: real.server })
    },
    capabilities: inet,
    systemBytesMax: tcpSystemBytesMax + layerBytesMax,
    security: "Tls",
    needsOpenssl: true
  },
  {
    ...memory,
    name: "TLS in memory",
    kind: secured(tcp, standIn),
    capabilities: inet,
    systemBytesMax: memorySystemBytesMax,
    security: "Tls"
  },
  {
    ...memory,
    name: "a PROXY header in memory",
    kind: proxied(tcp),
    capabilities: inet,
    systemBytesMax: memorySystemBytesMax,
    tls: standIn
  },
  {
    ...memory,
    name: "TLS behind a PROXY header in memory",
    kind: tlsBehindHeader(tcp, standIn),
    capabilities: inet,
    systemBytesMax: memorySystemBytesMax,
    security: "Tls"
  },
  {
    ...memory,
    name: "TLS in TLS in memory",
    kind: secured(secured(tcp, standIn), standIn),
    capabilities: inet,
    systemBytesMax: memorySystemBytesMax,
    security: "Tls"
  }
]

for (const { capabilities, kind, layer, name, needsOpenssl, resources, ...run } of runs) {
  const machine = needsOpenssl !== true || certificates.available ? [] : [{ missing: "openssl command" }]
  const subject: ReactorSuite.Subject = {
    name,
    layer,
    resources,
    server: kind.server,
    serverAt: kind.serverAt,
    client: kind.client,
    named: kind.named,
    onPort: kind.onPort,
    refused: kind.refused,
    unanswered: kind.silent,
    tls: run.tls
  }
  const { security, systemBytesMax } = run
  const pair = ReactorSuite.pairOver(subject)
  conformance(
    `Transport over ${name}`,
    TransportSuite.cases({ name, pair, capabilities, systemBytesMax, security, resources }),
    machine
  )
  conformance(`Reactor with ${name}`, ReactorSuite.cases(subject), machine)
}

describe("a full house of those who say nothing", () => {
  it.effect("makes room for others once they had their second, the oldest first", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const tls = { ...standIn.server, handshakesMax: 2 }
      const inner = Endpoint.tcp({ port: 1, interface: "127.0.0.1" })
      const listener = yield* reactor.listen(Endpoint.secured({ inner, tls }))
      const accepted = yield* accepting(listener)
      const client = Endpoint.tcpClient({ host: "127.0.0.1", port: 1 })
      const lost: Array<string> = []
      const silent = Effect.fnUntraced(function* (name: string) {
        const transport = yield* reactor.connect(client)
        yield* Effect.forkScoped(
          Effect.tapCause(transport.receive, () => Effect.sync(() => void lost.push(name))),
          { startImmediately: true }
        )
        yield* network.settled
      })
      yield* silent("first")
      yield* TestClock.adjust("500 millis")
      yield* silent("second")
      // Nobody had a second yet.
      yield* silent("third")
      assert.deepStrictEqual(lost, ["third"])
      yield* TestClock.adjust("500 millis")
      const served = yield* reactor.connect(Endpoint.securedClient({ inner: client, tls: standIn.client }))
      yield* served.send("served")
      assert.strictEqual(yield* read(yield* accepted), "served")
      assert.deepStrictEqual(lost, ["third", "first"])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(lost, ["third", "first", "second"])
      yield* served.send("still")
    }).pipe(Effect.scoped)
  )
})
