/** The codec, in the order of HAProxy's proxy-protocol.txt. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import { ProxyHeaderDecoder } from "../../src/reactor/ProxyHeaderDecoder.ts"
import { crc32c } from "../../src/reactor/ProxyHeaderV2.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"
import {
  bytesOf,
  codec,
  decode,
  encode,
  ends,
  endsOf,
  inet,
  inetEnds,
  signature,
  tlv,
  v2
} from "./proxyHeaders.ts"

const header = (text: string, options?: ProxyHeader.DecoderOptions): ProxyHeader.ProxyHeader => {
  const decoded = decode(text, options)
  return typeof decoded === "object" ? decoded : assert.fail(String(decoded))
}

describe("§2 either version", () => {
  const refused: ReadonlyArray<[bytes: string, expected: string]> = [
    ["GET / HTTP/1.1\r\n", "NotAHeader §2.2 no PROXY header: byte 0 fits neither version"],
    ["\x16\x03\x01", "NotAHeader §2.2 no PROXY header: byte 0 fits neither version"],
    ["POST", "NotAHeader §2.2 no PROXY header: byte 1 fits neither version"],
    ["PROXX", "NotAHeader §2.2 no PROXY header: byte 4 fits neither version"],
    ["\r\n\r\nG", "NotAHeader §2.2 no PROXY header: byte 4 fits neither version"],
    [signature.slice(0, 11) + "X", "NotAHeader §2.2 no PROXY header: byte 11 fits neither version"]
  ]
  for (const [bytes, expected] of refused) {
    it(`refuses ${JSON.stringify(bytes)} at the first byte that shows it`, () => {
      assert.strictEqual(decode(bytes), expected)
      assert.isUndefined(decode(bytes.slice(0, Number(/byte (\d+)/.exec(expected)![1]))))
      assert.strictEqual(CodecLaws.everyChunking(codec(), bytesOf(bytes)).failure?.reason._tag, "NotAHeader")
    })
  }

  it("only the versions that are accepted", () => {
    assert.strictEqual(decode("PROXY ", { versions: [2] }), "UnsupportedVersion §2 version 1 is not accepted")
    assert.strictEqual(
      decode(v2(0x21, 0, ""), { versions: [1] }),
      "UnsupportedVersion §2 version 2 is not accepted"
    )
    assert.strictEqual(header("PROXY UNKNOWN\r\n", { versions: [1] }).version, 1)
    assert.strictEqual(header(v2(0x21, 0, ""), { versions: [2] }).version, 2)
  })

  it("an end of input inside is Truncated", () => {
    const decoder = new ProxyHeaderDecoder()
    assert.isTrue(Result.isSuccess(decoder.push(bytesOf("PROXY TCP4 1"))))
    const error = decoder.finish()
    assert.strictEqual(
      error.message,
      "receive a PROXY header: the input ended after 12 bytes of the header (proxy-protocol.txt §2)"
    )
  })

  it("what is behind it is not touched, wherever the pieces are cut", () => {
    for (const text of ["PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", v2(0x21, 0x11, inet)]) {
      const all = bytesOf(`${text}\r\n\r\nPROXY rest`)
      const outcome = CodecLaws.everyChunking(codec(), bytesOf(text + text))
      assert.deepStrictEqual(outcome.frames.map(endsOf), [inetEnds, inetEnds])
      CodecLaws.takesApart(codec(), bytesOf(text + text))
      for (let cut = 0; cut <= all.length; cut++) {
        const decoder = new ProxyHeaderDecoder()
        const first = Result.getOrThrow(decoder.push(all.slice(0, cut)))
        const second = first === undefined ? Result.getOrThrow(decoder.push(all.slice(cut))) : undefined
        const rest = Buffer.concat(
          [(first ?? second)!.rest, first === undefined ? "" : all.slice(cut)].map(Buffer.from)
        )
        assert.strictEqual(rest.toString("latin1"), "\r\n\r\nPROXY rest")
      }
    }
  })
})

describe("§2.1 version 1", () => {
  const accepted: ReadonlyArray<[line: string, ends: ReadonlyArray<string>]> = [
    ["PROXY TCP4 192.168.0.1 192.168.0.11 56324 443", ["192.168.0.1:56324", "192.168.0.11:443"]],
    [
      "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
      ["255.255.255.255:65535", "255.255.255.255:65535"]
    ],
    ["PROXY TCP4 0.0.0.0 0.0.0.0 0 0", ["0.0.0.0:0", "0.0.0.0:0"]],
    ["PROXY TCP6 2001:db8::1 ::1 1 2", ["[2001:db8::1]:1", "[::1]:2"]],
    ["PROXY TCP6 2001:DB8:0:0:0:0:0:A ::FFFF:102:304 1 2", ["[2001:db8::a]:1", "[::ffff:1.2.3.4]:2"]],
    // As inet_ntop writes it, which many senders use.
    ["PROXY TCP6 ::ffff:1.2.3.4 :: 1 2", ["[::ffff:1.2.3.4]:1", "[::]:2"]],
    [
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
      ["[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"]
    ],
    ["PROXY UNKNOWN", []],
    ["PROXY UNKNOWN ", []],
    ["PROXY UNKNOWN \xff\0 whatever  1.2.3.4 TCP4", []],
    [
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
      []
    ]
  ]
  for (const [line, expected] of accepted) {
    it(`takes ${JSON.stringify(line)}`, () => {
      const decoded = header(`${line}\r\n`)
      assert.deepStrictEqual(endsOf(decoded), expected)
      assert.deepStrictEqual([decoded.version, decoded.command, decoded.tlvs], [1, "Proxy", {}])
      CodecLaws.all(codec(), bytesOf(`${line}\r\n`))
      for (let cut = 0; cut < line.length + 2; cut++) assert.isUndefined(decode(`${line}\r\n`.slice(0, cut)))
    })
  }

  const ipv4 = "1.2.3.4 5.6.7.8 1 2"
  const refused: ReadonlyArray<[line: string, message: string]> = [
    ["PROXY\t", "no space behind PROXY"],
    ["PROXY\r", "no space behind PROXY"],
    [`PROXY  TCP4 ${ipv4}\r\n`, 'expected TCP4, TCP6 or UNKNOWN, not ""'],
    [`PROXY tcp4 ${ipv4}\r\n`, 'expected TCP4, TCP6 or UNKNOWN, not "tcp4"'],
    [`PROXY UDP4 ${ipv4}\r\n`, 'expected TCP4, TCP6 or UNKNOWN, not "UDP4"'],
    [`PROXY toString ${ipv4}\r\n`, 'expected TCP4, TCP6 or UNKNOWN, not "toString"'],
    ["PROXY UNKNOWN-\r\n", 'expected TCP4, TCP6 or UNKNOWN, not "UNKNOWN-"'],
    ["PROXY \r\n", 'expected TCP4, TCP6 or UNKNOWN, not ""'],
    ["PROXY TCP4\r\n", "expected two addresses and two ports, one space before each"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "expected two addresses and two ports, one space before each"],
    [`PROXY TCP4 ${ipv4} \r\n`, "expected two addresses and two ports, one space before each"],
    [`PROXY TCP4 ${ipv4} 3\r\n`, "expected two addresses and two ports, one space before each"],
    [`PROXY TCP4  ${ipv4}\r\n`, "expected two addresses and two ports, one space before each"],
    ["PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n", "expected two addresses and two ports, one space before each"],
    ["PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", '"01.2.3.4" is no address of TCP4'],
    ["PROXY TCP4 1.2.3.4 5.6.7.256 1 2\r\n", '"5.6.7.256" is no address of TCP4'],
    ["PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", '"1.2.3" is no address of TCP4'],
    ["PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2\r\n", '"0x1.2.3.4" is no address of TCP4'],
    ["PROXY TCP4 1.2.3.4 ::1 1 2\r\n", '"::1" is no address of TCP4'],
    ["PROXY TCP4 \xb1.2.3.4 5.6.7.8 1 2\r\n", '"\xb1.2.3.4" is no address of TCP4'],
    ["PROXY TCP6 1.2.3.4 ::1 1 2\r\n", '"1.2.3.4" is no address of TCP6'],
    ["PROXY TCP6 ::1::2 ::1 1 2\r\n", '"::1::2" is no address of TCP6'],
    ["PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", '"1:2:3:4:5:6:7" is no address of TCP6'],
    ["PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", '"fe80::1%eth0" is no address of TCP6'],
    ["PROXY TCP6 [::1] ::1 1 2\r\n", '"[::1]" is no address of TCP6'],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", '"01" is no port'],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", '"65536" is no port'],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n", '"-2" is no port'],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", '"+1" is no port'],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1e1 2\r\n", '"1e1" is no port'],
    [`PROXY TCP4 ${ipv4}\n`, "a LF without CR"],
    [`PROXY TCP4 ${ipv4}\rx`, "a CR without LF"],
    [`PROXY TCP4 ${ipv4}\r\r`, "a CR without LF"],
    ["PROXY UNKNOWN\n", "a LF without CR"]
  ]
  for (const [line, message] of refused) {
    it(`refuses ${JSON.stringify(line)}`, () => {
      assert.strictEqual(decode(line), `Malformed §2.1 ${message}`)
      assert.isUndefined(decode(line.slice(0, -1)))
      assert.strictEqual(CodecLaws.all(codec(), bytesOf(line)).failure?.reason._tag, "Malformed")
    })
  }

  it("has 107 bytes at most, its end included", () => {
    const line = (size: number) => `PROXY UNKNOWN ${"x".repeat(size - 16)}\r\n`
    assert.strictEqual(line(107).length, 107)
    assert.strictEqual(header(line(107)).version, 1)
    assert.strictEqual(decode(line(108)), "HeaderTooLong §2.1 no end within 107 bytes")
    assert.isUndefined(decode("PROXY ".padEnd(106, "x")))
    assert.strictEqual(decode("PROXY ".padEnd(107, "x")), "HeaderTooLong §2.1 no end within 107 bytes")
  })

  it("encodes", () => {
    const v1 = (addresses?: ProxyHeader.Addresses) => encode({ version: 1, addresses })
    assert.strictEqual(v1(), "PROXY UNKNOWN\r\n")
    assert.strictEqual(v1(ends("1.2.3.4:5", "6.7.8.9:10")), "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n")
    assert.strictEqual(
      v1(ends("[2001:db8::1]:5", "[::ffff:1.2.3.4]:10")),
      "PROXY TCP6 2001:db8::1 0:0:0:0:0:ffff:102:304 5 10\r\n"
    )
    assert.strictEqual(
      v1(ends("1.2.3.4:5", "[::1]:10")),
      "Unencodable send a PROXY header: version 1 has only pairs of IPv4, or of IPv6, addresses (proxy-protocol.txt §2.1)"
    )
    assert.match(v1(ends("/a", "/b")), /^Unencodable .* version 1 has only pairs/)
    assert.match(v1(ends("1.2.3.4:5", "6.7.8.9:10", "Datagram")), /^Unencodable .* for streams only/)
    assert.match(encode({ version: 1, command: "Local" }), /^Unencodable .* neither LOCAL nor values/)
    assert.match(encode({ version: 1, tlvs: { authority: "a" } }), /^Unencodable .* neither LOCAL nor values/)
  })
})

describe("§2.2 version 2", () => {
  const inet6 = `${"\0".repeat(15)}\x01\x20\x01\x0d\xb8${"\0".repeat(11)}\x02\xdc\x04\x01\xbb`
  const unix = "/tmp/client".padEnd(108, "\0") + "\0abstract".padEnd(108, "\0")
  const accepted: ReadonlyArray<
    [name: string, bytes: string, ends: ReadonlyArray<string>, transport: string | undefined]
  > = [
    ["TCP over IPv4", v2(0x21, 0x11, inet), inetEnds, "Stream"],
    ["UDP over IPv4", v2(0x21, 0x12, inet), inetEnds, "Datagram"],
    ["TCP over IPv6", v2(0x21, 0x21, inet6), ["[::1]:56324", "[2001:db8::2]:443"], "Stream"],
    ["UDP over IPv6", v2(0x21, 0x22, inet6), ["[::1]:56324", "[2001:db8::2]:443"], "Datagram"],
    ["UNIX stream", v2(0x21, 0x31, unix), ["/tmp/client", "\0abstract"], "Stream"],
    ["UNIX datagram", v2(0x21, 0x32, unix), ["/tmp/client", "\0abstract"], "Datagram"],
    [
      "UNIX, paths that fill the field, and none",
      v2(0x21, 0x31, "x".repeat(108) + "\0".repeat(108)),
      ["x".repeat(108), ""],
      "Stream"
    ],
    ["UNSPEC", v2(0x21, 0x00, ""), [], undefined],
    ["a family without a transport", v2(0x21, 0x10, inet), [], undefined],
    ["a transport without a family", v2(0x21, 0x01, "whatever"), [], undefined],
    ["LOCAL", v2(0x20, 0x00, ""), [], undefined],
    ["LOCAL, its block and family ignored", v2(0x20, 0xff, "\x01\x02"), [], undefined],
    ["LOCAL, an address block too short for its family", v2(0x20, 0x11, "\x01\x02"), [], undefined]
  ]
  for (const [name, bytes, expected, transport] of accepted) {
    it(`takes ${name}`, () => {
      const decoded = header(bytes)
      assert.deepStrictEqual(endsOf(decoded), expected)
      assert.strictEqual(decoded.addresses?.transport, transport)
      assert.strictEqual(decoded.command, bytes.charCodeAt(12) === 0x20 ? "Local" : "Proxy")
      CodecLaws.all(codec(), bytesOf(bytes))
    })
  }

  const refused: ReadonlyArray<[name: string, bytes: string, expected: string]> = [
    ["version 1 in binary", v2(0x11, 0x11, inet), "UnsupportedVersion §2 version 1 is not accepted"],
    ["version 3", v2(0x31, 0x11, inet), "UnsupportedVersion §2 version 3 is not accepted"],
    ["command 2", v2(0x22, 0x11, inet), "Malformed §2.2 the command 2 is not assigned"],
    ["family 4", v2(0x21, 0x41, inet), "Malformed §2.2 the family and transport 0x41 are not assigned"],
    ["transport 3", v2(0x21, 0x13, inet), "Malformed §2.2 the family and transport 0x13 are not assigned"],
    [
      "IPv4 of 11 bytes",
      v2(0x21, 0x11, inet.slice(1)),
      "Malformed §2.2 11 bytes where the addresses alone have 12"
    ],
    ["IPv6 of 12 bytes", v2(0x21, 0x21, inet), "Malformed §2.2 12 bytes where the addresses alone have 36"],
    ["UNIX of 36 bytes", v2(0x21, 0x31, inet6), "Malformed §2.2 36 bytes where the addresses alone have 216"],
    [
      "a UNIX path that is no text",
      v2(0x21, 0x31, "\xff".padEnd(216, "\0")),
      "Malformed §2.2 a UNIX path that is not UTF-8"
    ],
    [
      "half a TLV",
      v2(0x21, 0x11, `${inet}\x01`),
      "Malformed §2.2 the value of type 0x01 ends before its length does"
    ],
    [
      "a TLV without its end",
      v2(0x21, 0x11, `${inet}${tlv(0x01, "abc").slice(0, -1)}`),
      "Malformed §2.2 the value of type 0x01 ends before its value of 3 bytes does"
    ],
    [
      "a TLV that is too long, behind a good one",
      v2(0x21, 0x11, `${inet}${tlv(0xe0, "ok")}\xe1\xff\xff`),
      "Malformed §2.2 the value of type 0xe1 ends before its value of 65535 bytes does"
    ]
  ]
  for (const [name, bytes, expected] of refused) {
    it(`refuses ${name}`, () => {
      assert.strictEqual(decode(bytes), expected)
      const tag = expected.split(" ")[0]
      assert.strictEqual(CodecLaws.all(codec(), bytesOf(bytes)).failure?.reason._tag, tag)
    })
  }

  it("is refused by its length before it has come", () => {
    const sized = (n: number) => `${signature}\x21\x11${String.fromCharCode(n >>> 8, n & 255)}`
    assert.isUndefined(decode(sized(4_080)))
    assert.strictEqual(
      decode(sized(4_081)),
      "HeaderTooLong §2.2 a header of 4097 bytes where 4096 are the limit"
    )
    assert.isUndefined(decode(sized(65_535), { headerBytesMax: 65_551 }))
    assert.isUndefined(decode(sized(20), { headerBytesMax: 36 }))
    assert.match(String(decode(sized(21), { headerBytesMax: 36 })), /^HeaderTooLong/)
  })

  it("of the largest size, a byte at a time, costs in proportion", () => {
    const bytes = bytesOf(v2(0x21, 0x11, `${inet}${tlv(0xe0, "x".repeat(65_520))}`))
    const decoder = new ProxyHeaderDecoder({ headerBytesMax: 65_551 })
    let decoded: ProxyHeader.Decoded | undefined
    for (let i = 0; i < bytes.length; i++) decoded = Result.getOrThrow(decoder.push(bytes.subarray(i, i + 1)))
    assert.strictEqual(decoded?.header.tlvs.other?.[0]?.value.length, 65_520)
  })

  it("keeps nothing of the pieces alive, and is not changed by writing into them", () => {
    const piece = bytesOf(v2(0x21, 0x11, inet + tlv(5, "id")))
    const { header } = Result.getOrThrow(ProxyHeader.decode(piece))!
    piece.fill(0)
    assert.deepStrictEqual(header.tlvs.uniqueId, bytesOf("id"))
    assert.deepStrictEqual(endsOf(header), inetEnds)
  })
})

describe("§2.2.1 to §2.2.8 values", () => {
  const of = (...tlvs: ReadonlyArray<string>) => v2(0x21, 0x11, inet + tlvs.join(""))
  const tlvsOf = (...tlvs: ReadonlyArray<string>) => header(of(...tlvs)).tlvs

  it("are all there, unknown ones as they came, padding left out", () => {
    const ssl = `\x07\0\0\0\x01${tlv(0x21, "TLSv1.3")}${tlv(0x22, "Jos\xc3\xa9")}${tlv(0x23, "TLS_AES_256_GCM_SHA384")}`
    const further = `${tlv(0x24, "RSA-SHA256")}${tlv(0x25, "RSA2048")}${tlv(0x26, "x25519")}${tlv(0x27, "rsa_pss_rsae_sha256")}${tlv(0x28, "\x30\x03")}${tlv(0x99, "?")}`
    assert.deepStrictEqual(
      tlvsOf(
        tlv(0x04, "padding"),
        tlv(0x01, "h2"),
        tlv(0x02, "b\xc3\xbccher.example"),
        tlv(0x05, "\x00\xffid"),
        tlv(0x20, ssl + further),
        tlv(0x30, "blue"),
        tlv(0x04, ""),
        tlv(0xea, "\x01vpce-1"),
        tlv(0xea, "\x02"),
        tlv(0x04, "")
      ),
      {
        alpn: "h2",
        authority: "bücher.example",
        uniqueId: bytesOf("\x00\xffid"),
        ssl: {
          tls: true,
          certificateOnConnection: true,
          certificateInSession: true,
          verify: 1,
          version: "TLSv1.3",
          commonName: "José",
          cipher: "TLS_AES_256_GCM_SHA384",
          signatureAlgorithm: "RSA-SHA256",
          keyAlgorithm: "RSA2048",
          group: "x25519",
          signatureScheme: "rsa_pss_rsae_sha256",
          clientCertificate: bytesOf("\x30\x03"),
          other: [{ type: 0x99, value: bytesOf("?") }]
        },
        netns: "blue",
        other: [
          { type: 0xea, value: bytesOf("\x01vpce-1") },
          { type: 0xea, value: bytesOf("\x02") }
        ]
      }
    )
    assert.deepStrictEqual(header(v2(0x21, 0, tlv(1, "h2"))).tlvs, { alpn: "h2" })
    assert.deepStrictEqual(header(v2(0x20, 0, tlv(1, "h2"))).tlvs, {}, "a LOCAL header's are discarded")
    assert.deepStrictEqual(tlvsOf(tlv(0x20, "\x00\xff\xff\xff\xff")).ssl, {
      tls: false,
      certificateOnConnection: false,
      certificateInSession: false,
      verify: 0xffff_ffff
    })
  })

  it("§2.2.3 the checksum is verified, wherever it stands", () => {
    // RFC 3720 B.4, and the check value that catalogues of checksums give.
    assert.strictEqual(crc32c(new Uint8Array(32)), 0x8a9136aa)
    assert.strictEqual(crc32c(bytesOf("123456789")), 0xe3069283)
    const zero = of(tlv(0x01, "h2"), tlv(0x03, "\0\0\0\0"), tlv(0x02, "a"))
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32c(bytesOf(zero)))
    const good = of(tlv(0x01, "h2"), tlv(0x03, sum.toString("latin1")), tlv(0x02, "a"))
    assert.deepStrictEqual(header(good).tlvs, { alpn: "h2", authority: "a", checksum: true })
    // A flipped bit: an address, the checksum, a value.
    for (const at of [16, 36, good.length - 1]) {
      const bad = bytesOf(good)
      bad[at]! ^= 1
      const decoded = decode(Buffer.from(bad).toString("latin1"))
      assert.match(String(decoded), /^ChecksumMismatch §2\.2\.3 the checksum is 0x[0-9a-f]{8} where 0x/)
    }
  })

  const refused: ReadonlyArray<[name: string, tlvs: string, expected: string]> = [
    ["an authority that is not UTF-8", tlv(2, "\xff"), "Malformed §2.2.2 a text that is not UTF-8"],
    ["a checksum of 3 bytes", tlv(3, "abc"), "Malformed §2.2.3 a checksum of 3 bytes instead of 4"],
    ["a checksum of 5 bytes", tlv(3, "abcde"), "Malformed §2.2.3 a checksum of 5 bytes instead of 4"],
    ["a unique id of 129 bytes", tlv(5, "x".repeat(129)), "Malformed §2.2.5 a unique id of 129 bytes"],
    ["an SSL value of 4 bytes", tlv(0x20, "\x01\0\0\0"), "Malformed §2.2.6 an SSL value of 4 bytes"],
    [
      "half an SSL sub-value",
      tlv(0x20, "\x01\0\0\0\0\x21\0"),
      "Malformed §2.2.6 the value of type 0x21 ends before its length does"
    ],
    [
      "an SSL sub-value too long",
      tlv(0x20, `\x01\0\0\0\0${tlv(0x21, "TLS").slice(0, -1)}`),
      "Malformed §2.2.6 the value of type 0x21 ends before its value of 3 bytes does"
    ],
    [
      "a TLS version that is not ASCII",
      tlv(0x20, `\x01\0\0\0\0${tlv(0x21, "\xe9")}`),
      "Malformed §2.2.6 a text that is not ASCII"
    ],
    [
      "a common name that is not UTF-8",
      tlv(0x20, `\x01\0\0\0\0${tlv(0x22, "\xe9")}`),
      "Malformed §2.2.6 a text that is not UTF-8"
    ],
    [
      "two common names",
      tlv(0x20, `\x01\0\0\0\0${tlv(0x22, "a")}${tlv(0x22, "b")}`),
      "Malformed §2.2.6 two values of type 0x22"
    ],
    ["a namespace that is not ASCII", tlv(0x30, "\xe9"), "Malformed §2.2.7 a text that is not ASCII"],
    ["two authorities", tlv(2, "a") + tlv(2, "a"), "Malformed §2.2.2 two values of type 0x02"],
    ["two checksums", tlv(3, "abcd") + tlv(3, "abcd"), "Malformed §2.2.3 two values of type 0x03"]
  ]
  for (const [name, tlvs, expected] of refused) {
    it(`refuses ${name}`, () => {
      assert.strictEqual(decode(of(tlvs)), expected)
      CodecLaws.all(codec(), bytesOf(of(tlvs)))
    })
  }

  it("a unique id has 128 bytes at most", () => {
    assert.strictEqual(tlvsOf(tlv(5, "x".repeat(128))).uniqueId?.length, 128)
  })

  it("what cannot be said is not sent", () => {
    const tlvs = (tlvs: ProxyHeader.Tlvs) => encode({ tlvs })
    assert.match(
      tlvs({ uniqueId: new Uint8Array(129) }),
      /^Unencodable .* a unique id of 129 bytes .*§2\.2\.5/
    )
    assert.match(tlvs({ netns: "é" }), /^Unencodable .* the character at 0 has no place in it .*§2\.2\.7/)
    assert.match(tlvs({ alpn: "€" }), /^Unencodable .*§2\.2\.1/)
    assert.match(tlvs({ other: [{ type: 2, value: bytesOf("a") }] }), /^Unencodable .* type 0x02 has a field/)
    assert.match(tlvs({ other: [{ type: 256, value: bytesOf("a") }] }), /^Unencodable .* 256 is no type/)
    assert.match(
      tlvs({ other: [{ type: 0xe0, value: new Uint8Array(65_536) }] }),
      /^Unencodable .* 65536 bytes/
    )
    assert.match(
      tlvs({ other: [{ type: 0xe0, value: new Uint8Array(65_535) }] }),
      /^Unencodable .* 65538 bytes of/
    )
    assert.match(
      encode({ command: "Local", tlvs: { alpn: "h2" } }),
      /^Unencodable .* neither addresses nor values/
    )
    assert.match(encode({ addresses: ends("1.2.3.4:5", "/b") }), /^Unencodable .* different families/)
    assert.match(encode({ addresses: ends("1.2.3.4:5", "[::1]:6") }), /^Unencodable .* different families/)
    assert.match(encode({ addresses: ends(`/${"x".repeat(108)}`, "/b") }), /^Unencodable .* of 109 bytes/)
    assert.match(encode({ addresses: ends("/a\0b", "/b") }), /^Unencodable .* a NUL in it/)
    const ssl = { tls: true, certificateInSession: false, certificateOnConnection: false, verify: -1 }
    assert.match(tlvs({ ssl }), /^Unencodable .* -1 is no 32 bits .*§2\.2\.6/)
  })
})
