/** What holds for all PROXY headers, and the one that passes a connection on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import { ProxiedTransport } from "../../src/reactor/ProxyHeaderTransport.ts"
import * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"
import { bytesOf, codec, encode, ends, endsOf, inet, signature, v2 } from "./proxyHeaders.ts"

describe("laws", () => {
  const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
  const bytes = Schema.Array(byte).check(Schema.isMaxLength(40))
  const octets = Schema.Array(byte).check(Schema.isMinLength(16), Schema.isMaxLength(16))
  const port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
  const parts = Schema.Struct({
    kind: Schema.Literals(["none", "IPv4", "IPv6", "UNIX", "local"]),
    transport: Schema.Literals(["Stream", "Datagram"]),
    source: octets,
    destination: octets,
    ports: Schema.Tuple([port, port]),
    alpn: Schema.optionalKey(bytes),
    authority: Schema.optionalKey(Schema.String),
    checksum: Schema.Boolean,
    uniqueId: Schema.optionalKey(bytes),
    commonName: Schema.optionalKey(Schema.String),
    other: Schema.Array(bytes).check(Schema.isMaxLength(3))
  })

  const addressesOf = ({ destination, kind, ports, source, transport }: typeof parts.Type) => {
    if (kind === "none" || kind === "local") return undefined
    const end = (octets: ReadonlyArray<number>, port: number) =>
      kind === "UNIX"
        ? NetAddress.unixPathAddress(`/${octets.join("-")}`)
        : NetAddress.inetAddressUnsafe(
            kind === "IPv4"
              ? NetAddress.ipv4FromBytesUnsafe(new Uint8Array(octets.slice(0, 4)))
              : NetAddress.ipv6FromBytesUnsafe(new Uint8Array(octets)),
            port
          )
    return { transport, source: end(source, ports[0]), destination: end(destination, ports[1]) }
  }

  const tlvsOf = ({ alpn, authority, checksum, commonName, kind, other, uniqueId }: typeof parts.Type) => {
    if (kind === "local") return {}
    const flags = {
      tls: true,
      certificateOnConnection: false,
      certificateInSession: true,
      verify: 0x8000_0001
    }
    return {
      ...(alpn === undefined ? {} : { alpn: String.fromCharCode(...alpn) }),
      ...(authority === undefined ? {} : { authority: authority.toWellFormed() }),
      ...(checksum ? { checksum } : {}),
      ...(uniqueId === undefined ? {} : { uniqueId: new Uint8Array(uniqueId) }),
      ...(commonName === undefined ? {} : { ssl: { ...flags, commonName: commonName.toWellFormed() } }),
      ...(other.length === 0
        ? {}
        : { other: other.map((value, index) => ({ type: 0xe0 + index, value: new Uint8Array(value) })) })
    }
  }

  const whole = (from: typeof parts.Type): ProxyHeader.ProxyHeader => ({
    version: 2,
    command: from.kind === "local" ? "Local" : "Proxy",
    addresses: addressesOf(from),
    tlvs: tlvsOf(from)
  })

  it.prop(
    "version 2: what is encoded comes out again",
    [Schema.Array(parts).check(Schema.isMaxLength(3))],
    ([all]) => {
      const encoded = (header: ProxyHeader.ProxyHeader) => Result.getOrThrow(ProxyHeader.encode(header))
      const bytes = CodecLaws.roundTrip(codec(), encoded, all.map(whole))
      CodecLaws.takesApart(codec(), bytes)
    }
  )

  it.prop("version 1: what is encoded comes out again", [parts], ([from]) => {
    const addresses = from.kind === "UNIX" ? undefined : addressesOf({ ...from, transport: "Stream" })
    const header = { version: 1, command: "Proxy", addresses, tlvs: {} } as const
    CodecLaws.roundTrip(codec(), (header) => Result.getOrThrow(ProxyHeader.encode(header)), [header])
  })

  it.prop(
    "no bytes are too strange",
    [Schema.Literals(["", "PROXY ", "PROXY TCP4 1", v2(0x21, 0x11, inet), signature]), bytes],
    ([begin, bytes]) => {
      CodecLaws.all(codec(), Buffer.concat([bytesOf(begin), new Uint8Array(bytes)]))
    }
  )

  it.prop(
    "no checksum is right with a bit flipped",
    [parts, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000 }))],
    ([from, at]) => {
      const bytes = new Uint8Array(Result.getOrThrow(ProxyHeader.encode(whole({ ...from, checksum: true }))))
      const bit = at % (bytes.length * 8)
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
      const { frames } = CodecLaws.all(codec(), bytes)
      // The bit may have made another value of the checksum: then there is none.
      assert.notStrictEqual(frames[0]?.tlvs.checksum, true)
    }
  )
})

describe("forwarding", () => {
  const transport = (peer: string, local: string, security: Tls.Security = Tls.plain) =>
    ({
      ...ends(peer, local),
      peer: ends(peer, local).source,
      local: ends(peer, local).destination,
      security
    }) as unknown as Transport

  it("names the ends, and what TLS told", () => {
    const plain = ProxyHeader.forwarding(transport("1.2.3.4:5", "6.7.8.9:10"))
    assert.deepStrictEqual([endsOf(plain), plain.tlvs, plain.version], [["1.2.3.4:5", "6.7.8.9:10"], {}, 2])
    const security: Tls.Security = {
      _tag: "Tls",
      protocol: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      alpn: "h2",
      serverName: "a.example",
      peerCertificate: new Uint8Array(1),
      peerVerified: true,
      resumed: true
    }
    const secured = transport("1.2.3.4:5", "6.7.8.9:10", security)
    assert.deepStrictEqual(
      ProxyHeader.forwarding(secured, { tlvs: { authority: "b", checksum: true } }).tlvs,
      {
        alpn: "h2",
        authority: "b",
        checksum: true,
        ssl: {
          tls: true,
          certificateOnConnection: false,
          certificateInSession: true,
          verify: 0,
          version: "TLSv1.3",
          cipher: "TLS_AES_256_GCM_SHA384"
        }
      }
    )
    assert.deepStrictEqual(ProxyHeader.forwarding(secured, { version: 1 }).tlvs, {})
  })

  it("TLS with a proxy that speaks for a client is not the client's", () => {
    const security: Tls.Security = {
      _tag: "Tls",
      protocol: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      alpn: undefined,
      serverName: "inside.example",
      peerCertificate: new Uint8Array(1),
      peerVerified: true,
      resumed: false
    }
    const proxy = transport("10.0.0.1:5", "10.0.0.2:10", security)
    const client = ends("1.2.3.4:5", "6.7.8.9:10")
    const behind = (addresses: typeof client | undefined, tlvs: ProxyHeader.Tlvs = {}) =>
      ProxyHeader.forwarding(
        new ProxiedTransport(proxy, { version: 2, command: addresses ? "Proxy" : "Local", addresses, tlvs })
      )
    assert.deepStrictEqual([endsOf(behind(client)), behind(client).tlvs], [["1.2.3.4:5", "6.7.8.9:10"], {}])
    assert.deepStrictEqual(behind(client, { authority: "outside.example" }).tlvs, {
      authority: "outside.example"
    })
    // The proxy speaks for itself.
    assert.strictEqual(behind(undefined).tlvs.ssl?.certificateOnConnection, true)
    // The client's own TLS begins behind the header.
    const plain = transport("10.0.0.1:5", "10.0.0.2:10")
    const view = new ProxiedTransport(
      { ...plain, startTls: () => Effect.succeed(proxy) } as unknown as Transport,
      { version: 2, command: "Proxy", addresses: client, tlvs: {} }
    )
    const secured = Effect.runSync(view.startTls({ role: "server", tls: { identity: [] } }))
    assert.strictEqual(ProxyHeader.forwarding(secured).tlvs.authority, "inside.example")
  })

  it("ends of two families become one, or none", () => {
    const mixed = ProxyHeader.forwarding(transport("1.2.3.4:5", "[::1]:10"), { version: 1 })
    assert.strictEqual(encode(mixed), "PROXY TCP6 0:0:0:0:0:ffff:102:304 ::1 5 10\r\n")
    assert.isUndefined(ProxyHeader.forwarding(transport("1.2.3.4:5", "/run/a")).addresses)
    assert.deepStrictEqual(endsOf(ProxyHeader.forwarding(transport("/a", "/b"))), ["/a", "/b"])
  })
})
