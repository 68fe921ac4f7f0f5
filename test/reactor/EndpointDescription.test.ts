import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"

const { parseClient, parseClientSync, parseServer, parseServerSync, parseUdp, parseUdpSync } =
  EndpointDescription

const any4 = "0.0.0.0"

describe("servers", () => {
  it.each<[string, Endpoint.Server]>([
    ["tcp:8080", { _tag: "TcpServer", port: 8080, interface: any4 }],
    ["tcp:0", { _tag: "TcpServer", port: 0, interface: any4 }],
    ["tcp:65535", { _tag: "TcpServer", port: 65535, interface: any4 }],
    ["tcp:port=8080", { _tag: "TcpServer", port: 8080, interface: any4 }],
    [
      "tcp:interface=127.0.0.1:8080:backlog=50",
      { _tag: "TcpServer", port: 8080, interface: "127.0.0.1", backlog: 50 }
    ],
    ["tcp:8080:interface=localhost", { _tag: "TcpServer", port: 8080, interface: "localhost" }],
    ["tcp:8080:interface=[::]", { _tag: "TcpServer", port: 8080, interface: "::" }],
    [String.raw`tcp:8080:interface=\:\:1`, { _tag: "TcpServer", port: 8080, interface: "::1" }],
    [
      "tcp:1:noDelay=no:keepAlive=yes:receiveBytesMax=10:sendBytesMax=20:closeTimeout=0",
      {
        _tag: "TcpServer",
        port: 1,
        interface: any4,
        noDelay: false,
        keepAlive: true,
        receiveBytesMax: 10,
        sendBytesMax: 20,
        closeTimeout: Duration.zero
      }
    ],
    ["tcp:1:keepAlive=no", { _tag: "TcpServer", port: 1, interface: any4, keepAlive: false }],
    ["tcp:1:keepAlive=60", { _tag: "TcpServer", port: 1, interface: any4, keepAlive: Duration.seconds(60) }],
    ["tcp:1:keepAlive=1", { _tag: "TcpServer", port: 1, interface: any4, keepAlive: Duration.seconds(1) }],
    ["tcp:1:noDelay=true", { _tag: "TcpServer", port: 1, interface: any4, noDelay: true }],
    ["tcp:1:noDelay=false", { _tag: "TcpServer", port: 1, interface: any4, noDelay: false }],
    ["tcp6:8080", { _tag: "TcpServer", port: 8080, interface: "::" }],
    [
      "tcp6:8080:interface=[fe80::1%eth0]:ipv6Only=yes",
      { _tag: "TcpServer", port: 8080, interface: "fe80::1%eth0", ipv6Only: true }
    ],
    ["unix:/run/x.sock", { _tag: "UnixServer", path: "/run/x.sock" }],
    [
      "unix:/run/x.sock:mode=660:backlog=3",
      { _tag: "UnixServer", path: "/run/x.sock", mode: 0o660, backlog: 3 }
    ],
    ["unix:path=/a=b:mode=0600", { _tag: "UnixServer", path: "/a=b", mode: 0o600 }],
    ["unix:[::1]", { _tag: "UnixServer", path: "[::1]" }],
    ["unix:\0abstract", { _tag: "UnixServer", path: "\0abstract" }]
  ])("%s", (text, expected) => {
    assert.deepStrictEqual(Result.getOrThrow(parseServerSync(text)), expected)
  })
})

describe("clients", () => {
  it.each<[string, Endpoint.Client]>([
    ["tcp:example.org:80", { _tag: "TcpClient", host: "example.org", port: 80 }],
    ["tcp:host=example.org:port=80", { _tag: "TcpClient", host: "example.org", port: 80 }],
    ["tcp:port=80:example.org", { _tag: "TcpClient", host: "example.org", port: 80 }],
    ["tcp:[::1]:80", { _tag: "TcpClient", host: "::1", port: 80 }],
    [String.raw`tcp:\:\:1:80`, { _tag: "TcpClient", host: "::1", port: 80 }],
    ["tcp:日本.example:80", { _tag: "TcpClient", host: "日本.example", port: 80 }],
    ["tcp:a_b.:80", { _tag: "TcpClient", host: "a_b.", port: 80 }],
    [
      "tcp:h:80:timeout=0.25:bindAddress=[::1]:bindPort=5000",
      {
        _tag: "TcpClient",
        host: "h",
        port: 80,
        timeout: Duration.millis(250),
        bindAddress: { address: "::1", port: 5000 }
      }
    ],
    [
      "tcp:h:80:bindAddress=127.0.0.1",
      { _tag: "TcpClient", host: "h", port: 80, bindAddress: { address: "127.0.0.1" } }
    ],
    ["tcp:h:80:timeout=0.000000001", { _tag: "TcpClient", host: "h", port: 80, timeout: Duration.nanos(1n) }],
    ["tcp:h:80:timeout=infinity", { _tag: "TcpClient", host: "h", port: 80, timeout: Duration.infinity }],
    ["unix:/run/x.sock:timeout=3", { _tag: "UnixClient", path: "/run/x.sock", timeout: Duration.seconds(3) }],
    ["tls:h:443", { _tag: "TlsClient", host: "h", port: 443, tls: {} }],
    // Twisted's parser hands an empty local address to the reactor here.
    ["ssl:h:443", { _tag: "TlsClient", host: "h", port: 443, tls: {} }],
    [
      "tls:h:443:hostname=[::1]:alpn=h2,http/1.1:versionMin=TLSv1.3:handshakeTimeout=1.5:noDelay=no",
      {
        _tag: "TlsClient",
        host: "h",
        port: 443,
        noDelay: false,
        tls: {
          serverName: "::1",
          alpn: ["h2", "http/1.1"],
          versionMin: "TLSv1.3",
          handshakeTimeout: Duration.millis(1500)
        }
      }
    ],
    [String.raw`tls:h:443:ciphers=A\:B`, { _tag: "TlsClient", host: "h", port: 443, tls: { ciphers: "A:B" } }]
  ])("%s", (text, expected) => {
    assert.deepStrictEqual(Result.getOrThrow(parseClientSync(text)), expected)
  })
})

describe("datagram ports", () => {
  it.each<[string, Endpoint.Udp]>([
    ["udp:5353", { _tag: "Udp", port: 5353, interface: any4 }],
    ["udp:port=0:interface=[::1]", { _tag: "Udp", port: 0, interface: "::1" }],
    [
      "udp:53:broadcast=yes:reuseAddress=yes:datagramBytesMax=512:receiveMax=7:receiveBufferBytes=8:sendBufferBytes=9",
      {
        _tag: "Udp",
        port: 53,
        interface: any4,
        broadcast: true,
        reuseAddress: true,
        datagramBytesMax: 512,
        receiveMax: 7,
        receiveBufferBytes: 8,
        sendBufferBytes: 9
      }
    ],
    ["udp:h:53", { _tag: "Udp", port: 0, interface: any4, connect: { host: "h", port: 53 } }],
    ["udp:host=h:port=53", { _tag: "Udp", port: 0, interface: any4, connect: { host: "h", port: 53 } }],
    ["udp:[::1]:53", { _tag: "Udp", port: 0, interface: "::", connect: { host: "::1", port: 53 } }],
    [
      "udp:h:53:bindPort=7:interface=127.0.0.1:broadcast=no",
      {
        _tag: "Udp",
        port: 7,
        interface: "127.0.0.1",
        broadcast: false,
        connect: { host: "h", port: 53 }
      }
    ]
  ])("%s", (text, expected) => {
    assert.deepStrictEqual(Result.getOrThrow(parseUdpSync(text)), expected)
  })

  it.effect("parseUdp needs no files", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* parseUdp("udp:53"), Endpoint.udp({ port: 53 }))
      const error = yield* Effect.flip(parseUdp("udp:dns"))
      assert.strictEqual(error.reason._tag, "InvalidValue")
    })
  )
})

const words =
  "tcp tcp6 tls ssl unix udp : : : = \\ \\: [ ] [::1] :: port host interface= backlog= mode= timeout= " +
  "privateKey= keepAlive= yes 80 0 65536 localhost 127.0.0.1 fe80::1 /tmp/x \0 \ud800 \u202e 😀"

const fragment = Arbitrary.schema(Schema.Union([Schema.Literals(words.split(" ")), Schema.String]))

const anyText = Arbitrary.map(Arbitrary.array(fragment, { maxLength: 12 }), (all) => all.join(""))

describe("any text", () => {
  it.prop(
    "is an endpoint, or an error whose place is inside the text",
    [anyText],
    ([text]) => {
      const results: ReadonlyArray<Result.Result<unknown, EndpointDescription.EndpointDescriptionError>> = [
        parseServerSync(text),
        parseClientSync(text),
        parseUdpSync(text)
      ]
      for (const result of results) {
        if (Result.isSuccess(result)) continue
        const { description, message, position } = result.failure
        assert.strictEqual(description, text)
        assert.isAtLeast(position.offset, 0)
        assert.isAtLeast(position.length, 0)
        assert.isAtMost(position.offset + position.length, text.length)
        assert.notMatch(message.replaceAll("\n", ""), /[\p{Cc}\p{Cs}]/u)
      }
    },
    { arbitrary: { runs: 2000 } }
  )

  it.effect.prop(
    "never makes an effect die",
    [anyText],
    ([text]) =>
      Effect.gen(function* () {
        const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
          yield* Effect.exit(parseServer(text)),
          yield* Effect.exit(parseClient(text))
        ]
        for (const exit of exits) {
          if (Exit.isFailure(exit)) {
            assert.deepStrictEqual(
              exit.cause.reasons.map(({ _tag }) => _tag),
              ["Fail"]
            )
          }
        }
      }).pipe(Effect.provide(FileSystem.layerNoop({}))),
    { arbitrary: { runs: 500 } }
  )
})
