/** The tables of errors: complete, true to the code, and true to the operating system where it can be made to say so. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import { getaddrinfo } from "../../src/node/NodeResolve.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import * as Errno from "../../src/reactor/Errno.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { ConnectError, ListenError, ResolveError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import * as Child from "../support/child.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { codesInErrno, ownRows, systemRows, textOf, twistedRows } from "./errorTables.ts"

/** What a code without a row becomes. */
const isOtherwise = (operation: string, reason: string): boolean =>
  reason === "Unknown" ||
  reason === "HandshakeFailed" ||
  (operation === "resolve" && reason === "ResolverFailed")

const mappings: Readonly<
  Record<string, (error: unknown) => { readonly _tag: string; readonly errno?: string | undefined }>
> = {
  listen: Errno.listenReason,
  connect: Errno.connectReason,
  transport: Errno.transportReason,
  datagram: Errno.datagramReason,
  resolve: Errno.resolveReason,
  tls: Errno.tlsReason
}

const exported = Object.keys(Reason)
const codesOf = ({ mapped, provoked }: (typeof systemRows)[number]) => [...provoked, ...mapped]

/** `twisted.internet.error`, every public class, and what its TLS raises. */
const twisted = (
  "BindError CannotListenError MulticastJoinError AlreadyListened NotListeningError ConnectError ConnectBindError " +
  "UnknownHostError NoRouteError ConnectionRefusedError TCPTimedOutError BadFileError ServiceNameUnknownError UserError " +
  "TimeoutError SSLError ConnectInProgressError ConnectingCancelledError NoProtocol NotConnectingError DNSLookupError " +
  "ConnectionClosed ConnectionLost ConnectionAborted FileDescriptorOverrun ConnectionFdescWentAway ProcessTerminated " +
  "ConnectionDone ProcessDone VerifyError PeerVerifyError CertificateError OpenSSL.SSL.Error VerificationError " +
  "AlreadyCalled AlreadyCancelled PotentialZombieWarning ProcessExitedAlready ReactorNotRunning ReactorNotRestartable " +
  "ReactorAlreadyRunning ReactorAlreadyInstalledError MessageLengthError InvalidAddressError UnsupportedAddressFamily " +
  "UnsupportedSocketType"
).split(" ")

describe("the tables", () => {
  it("have every reason, and no other", () => {
    const named = new Set([...systemRows, ...ownRows].map(({ reason }) => reason))
    assert.deepStrictEqual([...named].sort(), [...exported].sort())
  })

  it("have every code of Errno.ts with its reason, and no other", () => {
    const mapped = Object.entries(mappings).flatMap(([operation, reasonOf]) =>
      codesInErrno.flatMap((code) => {
        const reason = reasonOf({ code })._tag
        // Certificates are a family of their own: in the table they stand under `tls` alone.
        const isRow = (reason === "CertificateRejected") === (operation === "tls")
        return isRow && !isOtherwise(operation, reason) ? [`${operation} ${code} ${reason}`] : []
      })
    )
    assert.isAbove(mapped.length, 80)
    const fromTable = systemRows
      .flatMap((row) => codesOf(row).map((code) => `${row.operation} ${code} ${row.reason}`))
      // Families of codes, judged below.
      .filter((line) => !line.includes("*") && !line.startsWith("tls EPROTO "))
    assert.deepStrictEqual(fromTable.sort(), mapped.sort())
  })

  it("have each code once for each operation", () => {
    const all = systemRows.flatMap((row) => codesOf(row).map((code) => `${row.operation} ${code}`))
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("name a test for every code that is provoked", () => {
    const here = new Set(Object.keys(provocations))
    const tls = textOf("test/node/tls.test.ts")
    for (const { operation, provoked } of systemRows) {
      for (const code of provoked) {
        if (operation === "tls") assert.include(tls, code.replace("*", ""), code)
        else assert.isTrue(here.delete(`${operation} ${code}`), `${operation} ${code} has no test`)
      }
    }
    assert.deepStrictEqual([...here], [])
  })

  it("name files that test our own rules", () => {
    const untested = ownRows.filter(
      ({ reason, tested }) => tested !== undefined && !textOf(tested).includes(`"${reason}"`)
    )
    assert.deepStrictEqual(untested, [])
  })

  it("have every error of Twisted, and no other", () => {
    assert.deepStrictEqual(twistedRows.map((row) => row.twisted).sort(), [...twisted].sort())
  })

  it("give every error of Twisted a place that exists, or a reason why not", () => {
    const places = new Set([
      ...exported,
      "ListenError",
      "ConnectError",
      "TransportError",
      "ResolveError",
      "Cause.Done"
    ])
    for (const { names, place, twisted } of twistedRows) {
      if (place.startsWith("has no place because ")) continue
      assert.isAbove(names.filter((name) => places.has(name)).length, 0, twisted)
    }
  })

  it("name no class of Twisted in Reason.ts that has no row", () => {
    for (const [, names] of textOf("src/reactor/Reason.ts").matchAll(/Twisted: ((?:`\w+`(?:, )?)+)/g)) {
      for (const [, name] of names!.matchAll(/`(\w+)`/g)) assert.include(twisted, name)
    }
  })
})

describe("codes become reasons", () => {
  for (const row of systemRows) {
    it(`${row.operation}: ${row.reason}`, () => {
      for (const code of codesOf(row)) {
        const concrete = code.replace("*", "SOMETHING")
        const cause = Object.assign(new Error(`of ${concrete}`), { code: concrete })
        const reason = mappings[row.operation]!(cause)
        assert.strictEqual(reason._tag, row.reason, concrete)
        assert.strictEqual(reason.errno, concrete)
        assert.strictEqual((reason as { readonly cause?: unknown }).cause, cause)
      }
    })
  }

  it("TLS codes come out of connect and of a live connection, too", () => {
    for (const { operation, reason, ...row } of systemRows) {
      if (operation !== "tls") continue
      for (const code of codesOf({ operation, reason, ...row })) {
        const error = { code: code.replace("*", "SOMETHING") }
        assert.strictEqual(Errno.connectReason(error)._tag, reason)
        assert.strictEqual(Errno.transportReason(error)._tag, reason)
      }
    }
  })

  it("anything else is Unknown, whatever was thrown", () => {
    const strange = [
      undefined,
      null,
      0,
      "text",
      {},
      [],
      { code: 5 },
      { code: "EWHAT" },
      new Error("x"),
      Symbol("s")
    ]
    for (const [operation, mapping] of Object.entries(mappings)) {
      const expected =
        operation === "resolve" ? "ResolverFailed" : operation === "tls" ? "HandshakeFailed" : "Unknown"
      for (const error of strange)
        assert.strictEqual(mapping(error)._tag, expected, `${operation} ${String(error)}`)
    }
  })

  it("messages show control characters, and forge no line", () => {
    const reason = new Reason.UnknownHost({ detail: "x\r\nERROR \u001b[2J" })
    for (const error of [
      new ListenError({ endpoint: "tcp:0:interface=a\nb\u001b", reason }),
      new ConnectError({ endpoint: "tcp:a\nb\u001b\u202e:1", reason }),
      new ResolveError({ name: "a\nb\u001b", reason })
    ]) {
      assert.notMatch(error.message, /[\p{Cc}\p{Cf}]/u)
      assert.include(error.message, String.raw`a\nb\x1b`)
    }
  })
})

// --- what the operating system says ---------------------------------------------------------------------

type Provocation = Effect.Effect<
  { readonly _tag: string; readonly reason: { readonly _tag: string; readonly errno?: string | undefined } },
  unknown,
  Reactor | Scope.Scope
>

const local = "127.0.0.1"
const listen = (endpoint: Endpoint.Server) => Effect.flatMap(Reactor, (reactor) => reactor.listen(endpoint))
const connect = (endpoint: Endpoint.Client) => Effect.flatMap(Reactor, (reactor) => reactor.connect(endpoint))
const tcp = (port: number) => Endpoint.tcp({ port, interface: local })
const client = (port: number, options?: Partial<Endpoint.TcpClient>) =>
  Endpoint.tcpClient({ host: local, port, timeout: "5 seconds", ...options })

/** Every name is one that the system refuses by itself, without a name server. */
const unknownToSystem = Effect.provide(
  NodeReactor.layerWith({ resolver: { resolve: () => getaddrinfo.resolve("a..b" as Host.DomainName) } })
)

/** A port where nobody listens. */
const freePort = Effect.scoped(Effect.map(listen(tcp(0)), ({ address }) => inetOf(address).port))

const directory = Effect.map(socketPath, (file) => path.dirname(file))

/** A listener, a connection to it, and its other side as a plain socket of Node's. */
const withPeer = Effect.fnUntraced(function* (endpoint: Endpoint.Server) {
  const listener = yield* listen(endpoint)
  const accepted = yield* Deferred.make<Closeable>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Effect.succeed(transport)))
  )
  const peer = yield* Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const { address } = listener
      const options = NetAddress.isUnixPathAddress(address) ? { path: address.path } : inetOf(address)
      const socket = net.connect(options, () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const transport = yield* Deferred.await(accepted)
  yield* Effect.addFinalizer(() => transport.abort)
  return { transport, peer }
})

/** As somebody who is not root, whom permissions do not bind. */
const unprivileged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  process.geteuid!() !== 0
    ? effect
    : Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid!(65_534)),
        () => effect,
        () => Effect.sync(() => process.seteuid!(0))
      )

const outOfDescriptors = (operation: "listen" | "connect"): Provocation =>
  Effect.gen(function* () {
    const script = path.join(import.meta.dirname, "outOfDescriptors.ts")
    const { stdout, stderr } = yield* Child.run("bash", [
      "-c",
      'ulimit -n 64; exec "$0" "$1"',
      process.execPath,
      script
    ])
    assert.match(stdout, /^\{/, stderr)
    const said = JSON.parse(stdout) as Readonly<Record<string, readonly [string, string]>>
    const [_tag, errno] = said[operation]!
    return { _tag: operation === "listen" ? "ListenError" : "ConnectError", reason: { _tag, errno } }
  })

const udp = (options: Parameters<typeof Endpoint.udp>[0]) =>
  Effect.flatMap(Reactor, (reactor) => reactor.datagram(Endpoint.udp({ interface: local, ...options })))

const provocations: Readonly<Record<string, Provocation>> = {
  "listen EADDRINUSE": Effect.flatMap(listen(tcp(0)), ({ address }) =>
    Effect.flip(listen(tcp(inetOf(address).port)))
  ),
  "listen EADDRNOTAVAIL": Effect.flip(listen(Endpoint.tcp({ port: 0, interface: "192.0.2.1" }))),
  "listen EACCES": Effect.flatMap(directory, (folder) => {
    fs.chmodSync(folder, 0o555)
    return unprivileged(Effect.flip(listen(Endpoint.unix({ path: path.join(folder, "x") }))))
  }),
  "listen ENOENT": Effect.flatMap(directory, (folder) =>
    Effect.flip(listen(Endpoint.unix({ path: path.join(folder, "none", "x") })))
  ),
  "listen ENOTDIR": Effect.flatMap(directory, (folder) => {
    fs.writeFileSync(path.join(folder, "file"), "")
    return Effect.flip(listen(Endpoint.unix({ path: path.join(folder, "file", "x") })))
  }),
  "listen ENAMETOOLONG": Effect.flatMap(directory, (folder) =>
    Effect.flip(listen(Endpoint.unix({ path: path.join(folder, "x".repeat(200)) })))
  ),
  "listen EINVAL": Effect.flatMap(socketPath, (file) =>
    Effect.flip(listen(Endpoint.unix({ path: `${file}\0` })))
  ),
  "listen ERR_SOCKET_BAD_PORT": Effect.flip(listen(tcp(65_536))),
  "listen ENOTFOUND": Effect.flip(listen(Endpoint.tcp({ port: 0, interface: "a..b" }))),
  "listen EMFILE": outOfDescriptors("listen"),

  "connect ECONNREFUSED": Effect.flatMap(freePort, (port) => Effect.flip(connect(client(port)))),
  // The limited broadcast address is no place to connect to.
  "connect ENETUNREACH": Effect.flip(connect(client(1, { host: "255.255.255.255" }))),
  "connect EADDRINUSE": Effect.flatMap(listen(tcp(0)), ({ address }) => {
    const { port } = inetOf(address)
    return Effect.flip(connect(client(port, { bindAddress: { address: local, port } })))
  }),
  "connect EADDRNOTAVAIL": Effect.flatMap(listen(tcp(0)), ({ address }) =>
    Effect.flip(connect(client(inetOf(address).port, { bindAddress: { address: "192.0.2.1" } })))
  ),
  "connect ENOENT": Effect.flatMap(socketPath, (file) =>
    Effect.flip(connect(Endpoint.unixClient({ path: file })))
  ),
  "connect ENOTDIR": Effect.flatMap(directory, (folder) => {
    fs.writeFileSync(path.join(folder, "file"), "")
    return Effect.flip(connect(Endpoint.unixClient({ path: path.join(folder, "file", "x") })))
  }),
  "connect ENAMETOOLONG": Effect.flatMap(directory, (folder) =>
    Effect.flip(connect(Endpoint.unixClient({ path: path.join(folder, "x".repeat(200)) })))
  ),
  "connect EINVAL": Effect.flatMap(socketPath, (file) =>
    Effect.flip(connect(Endpoint.unixClient({ path: `${file}\0` })))
  ),
  "connect ERR_SOCKET_BAD_PORT": Effect.flip(connect(client(65_536))),
  "connect ERR_INVALID_IP_ADDRESS": Effect.flip(connect(client(1, { bindAddress: { address: "nonsense" } }))),
  "connect EACCES": Effect.gen(function* () {
    const file = yield* socketPath
    fs.chmodSync(path.dirname(file), 0o755)
    yield* listen(Endpoint.unix({ path: file, mode: 0 }))
    return yield* unprivileged(Effect.flip(connect(Endpoint.unixClient({ path: file }))))
  }),
  "connect ENOTFOUND": unknownToSystem(Effect.flip(connect(client(1, { host: "nobody.invalid" })))),
  "connect EMFILE": outOfDescriptors("connect"),
  "connect EAGAIN": Effect.gen(function* () {
    const file = yield* socketPath
    yield* listen(Endpoint.unix({ path: file, backlog: 1 }))
    // All in one turn, in which nothing is accepted.
    const all = Array.from({ length: 20 }, () =>
      Effect.flip(Effect.scoped(connect(Endpoint.unixClient({ path: file }))))
    )
    return yield* Effect.raceAll(all)
  }),
  "connect ECONNRESET": Effect.gen(function* () {
    const listener = yield* listen(tcp(0))
    yield* Effect.forkScoped(listener.acceptEach((transport) => Effect.runFork(transport.abort)))
    return yield* Effect.flip(
      connect(Endpoint.tlsClient({ ...inetOf(listener.address), timeout: "5 seconds" }))
    )
  }),

  "transport ECONNRESET": Effect.gen(function* () {
    const { peer, transport } = yield* withPeer(tcp(0))
    peer.resetAndDestroy()
    return yield* Effect.flip(transport.closed)
  }),
  // A UNIX socket says it at once; TCP has to hear a reset first.
  "transport EPIPE": Effect.gen(function* () {
    const { peer, transport } = yield* withPeer(Endpoint.unix({ path: yield* socketPath }))
    peer.destroy()
    yield* Effect.callback<void>((resume) => void peer.once("close", () => resume(Effect.void)))
    yield* Effect.ignore(transport.send("x"))
    return yield* Effect.flip(transport.closed)
  }),

  "datagram ECONNREFUSED": Effect.gen(function* () {
    const port = yield* Effect.scoped(Effect.map(udp({}), ({ local }) => inetOf(local).port))
    const socket = yield* udp({ connect: { host: local, port } })
    yield* socket.send("x")
    const error = yield* Effect.flip(socket.receive)
    return Cause.isDone(error) ? assert.fail("the port was closed") : error
  }),
  "datagram EMSGSIZE": Effect.gen(function* () {
    // More than IPv4 carries.
    const socket = yield* udp({ datagramBytesMax: 65_527 })
    return yield* Effect.flip(socket.send(new Uint8Array(65_508), socket.local as NetAddress.InetAddress))
  }),
  "datagram EACCES": Effect.gen(function* () {
    const socket = yield* udp({})
    return yield* Effect.flip(socket.send("x", NetAddress.inetAddressFromNativeUnsafe("255.255.255.255", 9)))
  }),

  "resolve ENOTFOUND": unknownToSystem(
    Effect.flip(Effect.flatMap(Reactor, (reactor) => reactor.resolve("nobody.invalid")))
  )
}

const classes: Readonly<Record<string, string>> = {
  listen: "ListenError",
  connect: "ConnectError",
  transport: "TransportError",
  datagram: "DatagramError",
  resolve: "ResolveError"
}

describe("the operating system's own words", () => {
  for (const [name, provocation] of Object.entries(provocations)) {
    const [operation, code] = name.split(" ") as [string, string]
    const row = systemRows.find((row) => row.operation === operation && row.provoked.includes(code))
    it.live(`${name} is ${row?.reason}`, () =>
      Effect.gen(function* () {
        const error = yield* provocation
        assert.deepStrictEqual(
          [error._tag, error.reason._tag, error.reason.errno],
          [classes[operation], row?.reason, code]
        )
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
    )
  }

  it.live("a listener that is refused leaves the address of the next one alone", () =>
    Effect.gen(function* () {
      const listener = yield* listen(tcp(0))
      for (const port of [-1, 1.5, Number.NaN, 65_536]) {
        const error = yield* Effect.flip(listen(tcp(port)))
        assert.strictEqual(error.reason._tag, "InvalidAddress", String(port))
        const failed = yield* Effect.flip(connect(client(port)))
        assert.strictEqual(failed.reason._tag, "InvalidAddress", String(port))
        const bound = client(1, { bindAddress: { address: local, port } })
        assert.strictEqual((yield* Effect.flip(connect(bound))).reason._tag, "InvalidAddress", String(port))
      }
      yield* connect(EndpointAddress.toClient(listener.address))
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
