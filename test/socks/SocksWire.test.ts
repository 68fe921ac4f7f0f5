/** Messages as bytes, in the order of RFC 1928 and RFC 1929, and of the memos of SOCKS 4 and 4a. */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Socks4Wire from "../../src/socks/Socks4Wire.ts"
import * as Socks5Wire from "../../src/socks/Socks5Wire.ts"
import type { SocksError } from "../../src/socks/SocksError.ts"
import * as SocksReach from "../../src/socks/SocksReach.ts"
import * as SocksWire from "../../src/socks/SocksWire.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"))
const v4 = NetAddress.ipv4FromBytesUnsafe(Uint8Array.of(192, 0, 2, 1))
const v6 = Result.getOrThrow(NetAddress.ipv6FromString("2001:db8::1"))

/** The whole is understood, and takes exactly its bytes; every beginning of it asks for more. */
const whole = <A>(parse: SocksWire.Parse<A>, message: Uint8Array): A => {
  for (let size = 0; size < message.length; size++) {
    assert.deepStrictEqual(parse(message.subarray(0, size)), SocksWire.more, `${size} bytes`)
  }
  const found = Result.getOrThrow(parse(message))!
  assert.strictEqual(found.size, message.length)
  const behind = Result.getOrThrow(parse(SocksWire.joined(message, [5, 0, 255])))!
  assert.deepStrictEqual(behind, found)
  return found.value
}

const wrong = (parse: SocksWire.Parse<unknown>, text: string): string => {
  const result = parse(bytes(text))
  return Result.isFailure(result) ? result.failure.message : assert.fail(JSON.stringify(text))
}

describe("SOCKS 4", () => {
  it("requests and replies, as in the memo", () => {
    assert.deepStrictEqual(whole(Socks4Wire.parseRequest, bytes("\x04\x01\x00\x50\xc0\x00\x02\x01fred\0")), {
      version: 4,
      command: "connect",
      host: v4,
      port: 80,
      userId: "fred"
    })
    assert.deepStrictEqual(whole(Socks4Wire.parseReply, bytes("\0\x5a\x00\x50\xc0\x00\x02\x01")), {
      code: 90,
      address: v4,
      port: 80
    })
  })

  it("4a: a name behind the user; 0.0.0.0 is an address", () => {
    const asked = whole(Socks4Wire.parseRequest, bytes("\x04\x02\x00\x50\0\0\0\x07\0example.org\0"))
    assert.deepInclude(asked, { command: "bind", host: "example.org", userId: "" })
    const zero = whole(Socks4Wire.parseRequest, bytes("\x04\x01\x00\x50\0\0\0\0\0"))
    assert.strictEqual(NetAddress.formatIp(zero.host as NetAddress.IpAddress), "0.0.0.0")
  })

  it("what is wrong is told", () => {
    assert.match(wrong(Socks4Wire.parseRequest, "\x04\x03\x00\x50\xc0\x00\x02\x01\0"), /no command 3/)
    assert.match(wrong(Socks4Wire.parseRequest, "GET / HTTP/1.1"), /version 71/)
    assert.match(
      wrong(Socks4Wire.parseRequest, `\x04\x01\0\x50\x01\x01\x01\x01${"u".repeat(256)}`),
      /more than 255/
    )
    assert.match(wrong(Socks4Wire.parseRequest, "\x04\x01\0\x50\x01\x01\x01\x01\xff\0"), /no UTF-8/)
    assert.match(wrong(Socks4Wire.parseRequest, "\x04\x01\0\x50\0\0\0\x01\0a b\0"), /can be no name/)
    assert.match(wrong(Socks4Wire.parseRequest, "\x04\x01\0\x50\0\0\0\x01\0\0"), /can be no name/)
    assert.match(wrong(Socks4Wire.parseReply, "\x04\x5a"), /begins with 4/)
    for (const request of [
      { command: "associate", host: v4 },
      { command: "connect", host: v6 },
      { command: "connect", host: v4, userId: "a\0b" },
      { command: "connect", host: "a\0b" },
      { command: "connect", host: "x".repeat(256) }
    ] as const) {
      assert.isTrue(Result.isFailure(Socks4Wire.formatRequest({ version: 4, port: 1, ...request })))
    }
  })
})

describe("SOCKS 5", () => {
  it("RFC 1928 3: greeting and choice", () => {
    assert.deepStrictEqual(whole(Socks5Wire.parseGreeting, bytes("\x05\x02\x00\x02")), [0, 2])
    assert.deepStrictEqual(whole(Socks5Wire.parseGreeting, bytes("\x05\x00")), [])
    assert.strictEqual(whole(Socks5Wire.parseChoice, bytes("\x05\xff")), Socks5Wire.method.unacceptable)
    assert.match(wrong(Socks5Wire.parseGreeting, "\x06"), /version 6.*RFC 1928 3/)
  })

  it("RFC 1929: name and password, which are in no message", () => {
    const login = whole(Socks5Wire.parseLogin, bytes("\x01\x03bob\x06secret"))
    assert.deepStrictEqual([login.user, Redacted.value(login.password)], ["bob", "secret"])
    assert.notInclude(JSON.stringify(login), "secret")
    assert.strictEqual(whole(Socks5Wire.parseLoginReply, bytes("\x01\x00")), true)
    assert.strictEqual(whole(Socks5Wire.parseLoginReply, bytes("\x01\x07")), false)
    assert.match(wrong(Socks5Wire.parseLogin, "\x01\x01\xff\x01a"), /no UTF-8/)
    for (const [user, password] of [
      ["", "x"],
      ["x", ""],
      ["x", "ü".repeat(128)]
    ] as const) {
      assert.isTrue(Result.isFailure(Socks5Wire.formatLogin({ user, password: Redacted.make(password) })))
    }
  })

  it("RFC 1928 4 to 6: requests and replies, each kind of address", () => {
    for (const [text, host] of [
      ["\x01\xc0\x00\x02\x01", v4],
      ["\x03\x0bexample.org", "example.org"],
      [`\x04 \x01\x0d\xb8${"\0".repeat(11)}\x01`, v6]
    ] as const) {
      const request = whole(Socks5Wire.parseRequest, bytes(`\x05\x03\x00${text}\x01\xbb`))
      assert.deepStrictEqual(request, { version: 5, command: "associate", host, port: 443 })
      const reply = whole(Socks5Wire.parseReply, bytes(`\x05\x02\x00${text}\x01\xbb`))
      assert.deepStrictEqual(reply, { code: 2, host, port: 443 })
    }
    assert.match(wrong(Socks5Wire.parseRequest, "\x05\x09\x00\x01\x01\x01\x01\x01\0\x50"), /no command 9/)
    assert.match(wrong(Socks5Wire.parseRequest, "\x05\x01\x00\x02"), /no address type 2/)
    assert.match(wrong(Socks5Wire.parseRequest, "\x05\x01\x01"), /1 where 0 must be/)
    assert.match(wrong(Socks5Wire.parseRequest, "\x05\x01\x00\x03\x00\0\x50"), /can be no name/)
    assert.match(wrong(Socks5Wire.parseRequest, "\x05\x01\x00\x03\x03a\nb\0\x50"), /can be no name/)
    assert.isTrue(
      Result.isFailure(
        Socks5Wire.formatRequest({ version: 5, command: "connect", host: "x".repeat(256), port: 1 })
      )
    )
  })

  it("RFC 1928 7: datagrams", () => {
    const data = Uint8Array.of(1, 2, 3)
    for (const host of [v4, v6, "example.org"]) {
      const sent = { host, port: 53, fragment: 0, data }
      const datagram = Result.getOrThrow(Socks5Wire.formatDatagram(sent))
      assert.deepStrictEqual(Result.getOrThrow(Socks5Wire.parseDatagram(datagram)), sent)
      assert.isAtMost(datagram.length - data.length, Socks5Wire.datagramHeadBytesMax)
      for (let size = 0; size < datagram.length - data.length; size++) {
        assert.isTrue(Result.isFailure(Socks5Wire.parseDatagram(datagram.subarray(0, size))))
      }
    }
    assert.isTrue(Result.isFailure(Socks5Wire.parseDatagram(bytes("\0\x01\0\x01\x01\x01\x01\x01\0\x50"))))
  })
})

describe("laws", () => {
  const below = numbers(5)
  const host = (): SocksWire.Host =>
    [
      () => NetAddress.ipv4FromBytesUnsafe(Uint8Array.from({ length: 4 }, () => 1 + below(255))),
      () => NetAddress.ipv6FromBytesUnsafe(Uint8Array.from({ length: 16 }, () => below(256))),
      () => Array.from({ length: 1 + below(255) }, () => "abc-.019XYZ"[below(11)]).join("")
    ][below(3)]!()

  it("what is formatted is parsed to the same, and not before all of it is there", () => {
    for (let i = 0; i < 300; i++) {
      const place = { host: host(), port: below(65_536) }
      const command = (["connect", "bind", "associate"] as const)[below(3)]!
      const request = { version: 5, command, ...place } as const
      assert.deepStrictEqual(
        whole(Socks5Wire.parseRequest, Result.getOrThrow(Socks5Wire.formatRequest(request))),
        request
      )
      const reply = { code: below(256), ...place }
      assert.deepStrictEqual(
        whole(Socks5Wire.parseReply, Result.getOrThrow(Socks5Wire.formatReply(reply))),
        reply
      )
      const old = { ...request, version: 4, userId: "u".repeat(below(256)) } as const
      const formatted = Socks4Wire.formatRequest(old)
      if (Result.isFailure(formatted)) continue
      assert.deepStrictEqual(whole(Socks4Wire.parseRequest, formatted.success), old)
      assert.isAtMost(formatted.success.length, SocksWire.messageBytesMax)
    }
  })

  it("fuzzing: never throws, asks for no more than the longest message, and means what can be said", () => {
    const parsers: ReadonlyArray<
      readonly [
        SocksWire.Parse<unknown>,
        ((value: never) => Uint8Array | Result.Result<Uint8Array, SocksError>)?
      ]
    > = [
      [Socks4Wire.parseRequest, Socks4Wire.formatRequest],
      [Socks4Wire.parseReply, Socks4Wire.formatReply],
      [Socks5Wire.parseGreeting, Socks5Wire.formatGreeting],
      [Socks5Wire.parseChoice, Socks5Wire.formatChoice],
      [Socks5Wire.parseLogin],
      [Socks5Wire.parseRequest, Socks5Wire.formatRequest],
      [Socks5Wire.parseReply, Socks5Wire.formatReply]
    ]
    const words = [
      "\x04",
      "\x05",
      "\x01",
      "\x03",
      "\0",
      "\0\0\0\x01",
      "example.org",
      "\xff",
      "\x10",
      "u".repeat(200)
    ]
    const examples = [
      "\x04\x01\x00\x50\xc0\x00\x02\x01fred\0",
      "\x04\x02\x00\x50\0\0\0\x07\0example.org\0",
      "\x05\x02\x00\x02",
      "\x01\x03bob\x06secret",
      "\x05\x01\x00\x03\x0bexample.org\x01\xbb"
    ]
    const below = numbers(9)
    fuzz({ words, examples, inputs: inputsCount(20_000) }, (input) => {
      for (const [parse, format] of parsers) {
        const found = Result.getOrUndefined(parse(input))
        if (found === undefined || format === undefined) continue
        const again = format(found.value as never)
        const said = again instanceof Uint8Array ? again : Result.getOrThrow(again)
        assert.deepStrictEqual(Result.getOrThrow(parse(said))!.value, found.value)
      }
      const parse = parsers[below(parsers.length)]![0]
      const long = SocksWire.joined(input, new Uint8Array(SocksWire.messageBytesMax + 1))
      assert.notDeepEqual(parse(long), SocksWire.more)
      Socks5Wire.parseDatagram(input)
    })
  })
})

describe("which addresses are public", () => {
  it("IANA's special ones are not, in whatever they are wrapped", () => {
    const isPublic = (text: string) => SocksReach.isPublic(NetAddress.ipFromStringUnsafe(text))
    for (const text of (
      "0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1 172.31.255.255 " +
      "192.0.0.8 192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 " +
      ":: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 " +
      "2002:7f00:1::1 3fff::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 5f00::1"
    ).split(" ")) {
      assert.isFalse(isPublic(text), text)
    }
    for (const text of "1.1.1.1 9.9.9.9 172.32.0.1 192.169.0.1 ::ffff:9.9.9.9 2606:4700::1111 2a00::1".split(
      " "
    )) {
      assert.isTrue(isPublic(text), text)
    }
  })

  it("a network has the addresses that Effect says it has", () => {
    const below = numbers(7)
    // Few values, so that addresses share their beginnings.
    const octets = (length: number) => Uint8Array.from({ length }, () => [0, 1, 127, 128, 255][below(5)]!)
    const address = () =>
      below(2) === 0 ? NetAddress.ipv4FromBytesUnsafe(octets(4)) : NetAddress.ipv6FromBytesUnsafe(octets(16))
    let inside = 0
    for (let count = 0; count < 20_000; count++) {
      const base = address()
      const bits = below(below(2) === 0 ? 10 : NetAddress.width(base) + 1)
      const network = IpNetwork.fromAddressUnsafe(base, bits)
      const other = below(10) === 0 ? base : address()
      const expected = IpNetwork.contains(network, NetAddress.toCanonical(other))
      if (expected) inside++
      assert.strictEqual(
        new SocksReach.Networks([network]).has(other),
        expected,
        `${NetAddress.formatIp(other)} in ${String(network)}`
      )
    }
    assert.isAbove(inside, 1_000)
    assert.isFalse(new SocksReach.Networks([]).has(v4))
  })
})
