import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"

const { parseClientSync, parseServerSync, parseUdpSync } = EndpointDescription

describe("EndpointFormat.format", () => {
  const identity = { certificate: "CERTIFICATE", privateKey: Redacted.make("KEY") }

  it.each<[string, Endpoint.Server | Endpoint.Client | Endpoint.Udp]>([
    ["tcp:8080", Endpoint.tcp({ port: 8080 })],
    [
      "tcp:8080:interface=127.0.0.1:backlog=5",
      Endpoint.tcp({ port: 8080, interface: "127.0.0.1", backlog: 5 })
    ],
    ["tcp6:8080", Endpoint.tcp6({ port: 8080 })],
    ["tcp6:80:interface=[::1]:ipv6Only=no", Endpoint.tcp6({ port: 80, interface: "::1", ipv6Only: false })],
    [
      "tcp:1:noDelay=no:keepAlive=0.5:receiveBytesMax=1:sendBytesMax=2:closeTimeout=90",
      Endpoint.tcp({
        port: 1,
        noDelay: false,
        keepAlive: "500 millis",
        receiveBytesMax: 1,
        sendBytesMax: 2,
        closeTimeout: "90 seconds"
      })
    ],
    ["tcp:1:keepAlive=yes", Endpoint.tcp({ port: 1, keepAlive: true })],
    [String.raw`unix:/a\:b\=c:mode=060`, Endpoint.unix({ path: "/a:b=c", mode: 0o60 })],
    ["tcp:[::1]:80:timeout=infinity", Endpoint.tcpClient({ host: "::1", port: 80, timeout: "Infinity" })],
    [
      "tcp:h:80:bindAddress=[fe80::1%eth0]:bindPort=0",
      Endpoint.tcpClient({ host: "h", port: 80, bindAddress: { address: "fe80::1%eth0", port: 0 } })
    ],
    ["unix:/x:timeout=0.000000001", Endpoint.unixClient({ path: "/x", timeout: Duration.nanos(1n) })],
    ["udp:0", Endpoint.udp({})],
    ["udp:0:interface=[::]:ipv6Only=yes", Endpoint.udp({ interface: "::", ipv6Only: true })],
    ["udp:[::1]:53", Endpoint.udp({ interface: "::", connect: { host: "::1", port: 53 } })],
    ["udp:h:53:bindPort=5", Endpoint.udp({ port: 5, connect: { host: "h", port: 53 } })],
    [
      "tls:443:clientCertificate=request:alpn=h2,http/1.1:versionMin=TLSv1.3",
      Endpoint.tls({
        port: 443,
        tls: {
          identity,
          clientCertificate: "request",
          authorities: ["CERTIFICATE"],
          alpn: ["h2", "http/1.1"],
          versionMin: "TLSv1.3"
        }
      })
    ],
    [
      String.raw`tls:h:443:hostname=n:ciphers=A\:B:handshakeTimeout=1.5`,
      Endpoint.tlsClient({
        host: "h",
        port: 443,
        tls: { identity, serverName: "n", ciphers: "A:B", handshakeTimeout: 1500 }
      })
    ],
    ["onion:x", Endpoint.custom({ description: "onion:x", listen: Effect.never })],
    ["stdio:", Endpoint.stdio()],
    ["stdio:closeTimeout=2", Endpoint.stdioClient({ closeTimeout: "2 seconds" })],
    ["fd:3:backlog=7", Endpoint.fd({ fd: 3, backlog: 7 })],
    ["fd:4:timeout=1", Endpoint.fdClient({ fd: 4, timeout: "1 second" })],
    ["systemd:index=0", Endpoint.systemd({ descriptor: { index: 0 } })],
    [
      String.raw`systemd:domain=UNIX:name=a\:b`,
      Endpoint.systemd({ descriptor: { name: "a:b" }, domain: "UNIX" })
    ],
    ["unix:name:abstract=yes:lock=no", Endpoint.unix({ path: "\0name", lock: false })],
    [
      "tcp:1:reusePort=yes:keepAlive=9:keepAliveInterval=2:keepAliveCount=3",
      Endpoint.tcp({
        port: 1,
        reusePort: true,
        keepAlive: "9 seconds",
        keepAliveInterval: "2 seconds",
        keepAliveCount: 3
      })
    ],
    ["tcp:h:1:attemptDelay=0.1", Endpoint.tcpClient({ host: "h", port: 1, attemptDelay: 100 })],
    [
      "udp:5353:reuseAddress=yes:reusePort=no:groups=224.0.0.251:multicastTtl=255:multicastLoopback=no",
      Endpoint.udp({
        port: 5353,
        reuseAddress: true,
        reusePort: false,
        multicast: { groups: [{ group: "224.0.0.251" }], ttl: 255, loopback: false }
      })
    ],
    [
      "haproxy:trusted=10.0.0.0/8,unix:headerTimeout=1:tcp:80",
      Endpoint.proxied({
        inner: Endpoint.tcp({ port: 80 }),
        proxy: { trusted: ["10.0.0.0/8", "unix"], headerTimeout: "1 second" }
      })
    ],
    [
      "secured:alpn=h2:handshakesMax=5:haproxy:trusted=unix:unix:/x",
      Endpoint.secured({
        inner: Endpoint.proxied({ inner: Endpoint.unix({ path: "/x" }), proxy: { trusted: ["unix"] } }),
        tls: { identity, alpn: ["h2"], handshakesMax: 5 }
      })
    ],
    [
      "secured:hostname=n:resume=no:unix:/x",
      Endpoint.securedClient({
        inner: Endpoint.unixClient({ path: "/x" }),
        tls: { serverName: "n", resume: false }
      })
    ]
  ])("%s", (text, endpoint) => {
    assert.strictEqual(EndpointFormat.format(endpoint), text)
  })

  const port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
  const peerPort = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
  const size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }))
  const host = Schema.Literals([
    "h",
    "a.example.",
    "日本",
    "127.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "::ffff:1.2.3.4"
  ])
  const millis = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30_000_000 }))
  const path = Schema.String.check(Schema.isPattern(/^\0?[^\0]+$/))
  const address6 = Schema.Literals(["::1", "::", "fe80::1%eth0", "2001:db8::7"])

  const probes = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 127 }))

  const stream = {
    noDelay: Schema.optionalKey(Schema.Boolean),
    keepAlive: Schema.optionalKey(Schema.Union([Schema.Boolean, millis])),
    keepAliveInterval: Schema.optionalKey(millis),
    keepAliveCount: Schema.optionalKey(probes),
    receiveBytesMax: Schema.optionalKey(size),
    sendBytesMax: Schema.optionalKey(size),
    closeTimeout: Schema.optionalKey(millis)
  }

  /** Durations as the parser gives them. */
  const normal = <E extends Endpoint.Server | Endpoint.Client>(endpoint: E): E => {
    const copy: Record<string, unknown> = { ...endpoint }
    for (const name of ["keepAlive", "keepAliveInterval", "closeTimeout", "timeout", "attemptDelay"]) {
      if (typeof copy[name] === "number") copy[name] = Duration.millis(copy[name])
    }
    return copy as unknown as E
  }

  const tcp = Schema.Struct({
    port,
    interface: Schema.optionalKey(host),
    backlog: Schema.optionalKey(size),
    reusePort: Schema.optionalKey(Schema.Boolean),
    ...stream
  })
  it.prop("is undone by parseServer: tcp", [tcp], ([args]) => {
    const endpoint = normal(Endpoint.tcp(args))
    assert.deepStrictEqual(Result.getOrThrow(parseServerSync(EndpointFormat.format(endpoint))), endpoint)
  })

  const tcp6 = Schema.Struct({
    port,
    interface: Schema.optionalKey(address6),
    ipv6Only: Schema.optionalKey(Schema.Boolean),
    ...stream
  })
  it.prop("is undone by parseServer: tcp6", [tcp6], ([args]) => {
    const endpoint = normal(Endpoint.tcp6(args))
    assert.deepStrictEqual(Result.getOrThrow(parseServerSync(EndpointFormat.format(endpoint))), endpoint)
  })

  const mode = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0o777 }))
  const unix = Schema.Struct({
    path,
    mode: Schema.optionalKey(mode),
    lock: Schema.optionalKey(Schema.Boolean),
    backlog: Schema.optionalKey(size),
    ...stream
  })
  it.prop("is undone by parseServer: unix", [unix], ([args]) => {
    const endpoint = normal(Endpoint.unix(args))
    assert.deepStrictEqual(Result.getOrThrow(parseServerSync(EndpointFormat.format(endpoint))), endpoint)
  })

  const bindAddress = Schema.optionalKey(Schema.Struct({ address: host, port: Schema.optionalKey(port) }))
  const connect = Schema.Struct({
    host,
    port: peerPort,
    bindAddress,
    timeout: Schema.optionalKey(millis),
    attemptDelay: Schema.optionalKey(millis),
    ...stream
  })
  it.prop("is undone by parseClient: tcp", [connect], ([args]) => {
    const endpoint = normal(Endpoint.tcpClient(args))
    assert.deepStrictEqual(Result.getOrThrow(parseClientSync(EndpointFormat.format(endpoint))), endpoint)
  })

  const reach = Schema.Struct({ path, timeout: Schema.optionalKey(millis), ...stream })
  it.prop("is undone by parseClient: unix", [reach], ([args]) => {
    const endpoint = normal(Endpoint.unixClient(args))
    assert.deepStrictEqual(Result.getOrThrow(parseClientSync(EndpointFormat.format(endpoint))), endpoint)
  })

  const udp = Schema.Struct({
    port,
    interface: Schema.optionalKey(host),
    connect: Schema.optionalKey(Schema.Struct({ host, port: peerPort })),
    broadcast: Schema.optionalKey(Schema.Boolean),
    reuseAddress: Schema.optionalKey(Schema.Boolean),
    reusePort: Schema.optionalKey(Schema.Boolean),
    datagramBytesMax: Schema.optionalKey(peerPort),
    receiveMax: Schema.optionalKey(size),
    receiveBufferBytes: Schema.optionalKey(size),
    sendBufferBytes: Schema.optionalKey(size)
  })
  it.prop("is undone by parseUdp", [udp], ([args]) => {
    const endpoint = Endpoint.udp(args)
    assert.deepStrictEqual(Result.getOrThrow(parseUdpSync(EndpointFormat.format(endpoint))), endpoint)
  })
})

describe("EndpointFormat.format, of endpoints around others", () => {
  it.each([
    "haproxy:trusted=10.0.0.0/8,unix:headerTimeout=1:headerBytesMax=99:tcp:80:backlog=9",
    "haproxy:trusted=unix:haproxy:trusted=127.0.0.1:unix:/x:mode=600",
    "fd:3:backlog=7",
    "systemd:domain=INET6:name=web",
    "systemd:index=2",
    "stdio:",
    "unix:name:abstract=yes"
  ])("is undone by parseServer: %s", (text) => {
    assert.strictEqual(EndpointFormat.format(Result.getOrThrow(parseServerSync(text))), text)
  })

  it.each([
    "secured:hostname=n:alpn=h2:resume=no:secured:hostname=m:unix:/x:timeout=3",
    "haproxy:version=1:haproxy:local=yes:unix:/x",
    "fd:3",
    "stdio:"
  ])("is undone by parseClient: %s", (text) => {
    assert.strictEqual(EndpointFormat.format(Result.getOrThrow(parseClientSync(text))), text)
  })
})

describe("EndpointAddress.toClient", () => {
  it.each<[string, Endpoint.TcpClient]>([
    ["192.0.2.1:80", Endpoint.tcpClient({ host: "192.0.2.1", port: 80 })],
    ["[2001:db8::1]:80", Endpoint.tcpClient({ host: "2001:db8::1", port: 80 })],
    ["[fe80::1%3]:80", Endpoint.tcpClient({ host: "fe80::1%3", port: 80 })],
    ["0.0.0.0:8080", Endpoint.tcpClient({ host: "127.0.0.1", port: 8080 })],
    ["[::]:8080", Endpoint.tcpClient({ host: "::1", port: 8080 })]
  ])("%s", (text, expected) => {
    assert.deepStrictEqual(EndpointAddress.toClient(NetAddress.inetAddressFromStringUnsafe(text)), expected)
  })

  it("a UNIX socket", () => {
    assert.deepStrictEqual(
      EndpointAddress.toClient(NetAddress.unixPathAddress("/x")),
      Endpoint.unixClient({ path: "/x" })
    )
  })
})
