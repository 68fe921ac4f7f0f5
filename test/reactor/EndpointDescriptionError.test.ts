import { assert, describe, it } from "@effect/vitest"
import { nearest } from "../../src/reactor/EndpointSuggestion.ts"
import { errorOf, faultOf, lines, messageOf } from "./endpointFaults.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"

const { parseClientSync, parseServerSync, parseUdpSync } = EndpointDescription

describe("errors", () => {
  type Case = [text: string, tag: string, argument: string | undefined, marked: string]

  it.each<Case>([
    ["", "UnknownScheme", undefined, ""],
    [":80", "UnknownScheme", undefined, ""],
    ["tpc:80", "UnknownScheme", undefined, "tpc"],
    ["TCP:80", "UnknownScheme", undefined, "TCP"],
    ["udp:80", "UnknownScheme", undefined, "udp"],
    ["constructor:80", "UnknownScheme", undefined, "constructor"],
    ["tcp", "MissingArgument", "port", ""],
    ["tcp:", "MissingArgument", "port", ""],
    ["tcp:backlog=1", "MissingArgument", "port", ""],
    ["tls:443", "MissingArgument", "privateKey", ""],
    ["tcp:80:81", "TooManyArguments", undefined, "81"],
    ["tcp:80:", "TooManyArguments", undefined, ""],
    ["tcp:80:port=80", "DuplicateArgument", "port", "port"],
    ["tcp:port=80:80", "DuplicateArgument", "port", "80"],
    ["tcp:80:backlog=1:backlog=1", "DuplicateArgument", "backlog", "backlog"],
    ["tls:1:certKey=a:certificate=b", "DuplicateArgument", "certKey", "certificate"],
    ["tcp:80:bogus=1", "UnknownArgument", "bogus", "bogus"],
    ["tcp:80:=1", "UnknownArgument", undefined, ""],
    ["tcp:80:constructor=1", "UnknownArgument", "constructor", "constructor"],
    ["tcp:80:__proto__=1", "UnknownArgument", "__proto__", "__proto__"],
    ["unix:/a=b", "UnknownArgument", "/a", "/a"],
    ["tcp::80", "InvalidValue", "port", ""],
    ["tcp:65536", "InvalidValue", "port", "65536"],
    ["tcp:-1", "InvalidValue", "port", "-1"],
    ["tcp:+1", "InvalidValue", "port", "+1"],
    ["tcp:0x50", "InvalidValue", "port", "0x50"],
    ["tcp:1_0", "InvalidValue", "port", "1_0"],
    ["tcp:1e3", "InvalidValue", "port", "1e3"],
    ["tcp:8.0", "InvalidValue", "port", "8.0"],
    ["tcp: 80", "InvalidValue", "port", " 80"],
    ["tcp:080", "InvalidValue", "port", "080"],
    ["tcp:٨٠", "InvalidValue", "port", "٨٠"],
    ["tcp:http", "InvalidValue", "port", "http"],
    ["tcp:80\n", "InvalidValue", "port", "80\n"],
    ["tcp:80:backlog=0", "InvalidValue", "backlog", "0"],
    ["tcp:80:interface=", "InvalidValue", "interface", ""],
    ["tcp:80:interface=*", "InvalidValue", "interface", "*"],
    ["tcp:80:interface=1.2.3", "InvalidValue", "interface", "1.2.3"],
    ["tcp:80:interface=1.2.3.256", "InvalidValue", "interface", "1.2.3.256"],
    ["tcp:80:interface=0x7f000001", "InvalidValue", "interface", "0x7f000001"],
    ["tcp:80:interface=a b", "InvalidValue", "interface", "a b"],
    ["tcp:80:interface=a..b", "InvalidValue", "interface", "a..b"],
    ["tcp:80:interface=\ud800", "InvalidValue", "interface", "\ud800"],
    ["tcp:80:interface=[1\\:2]", "InvalidValue", "interface", "[1\\:2]"],
    ["tcp6:80:interface=127.0.0.1", "InvalidValue", "interface", "127.0.0.1"],
    ["tcp6:80:interface=localhost", "InvalidValue", "interface", "localhost"],
    ["tcp:80:noDelay=1", "InvalidValue", "noDelay", "1"],
    ["tcp:80:noDelay=constructor", "InvalidValue", "noDelay", "constructor"],
    ["tcp:80:keepAlive=0", "InvalidValue", "keepAlive", "0"],
    ["tcp:80:keepAlive=32768", "InvalidValue", "keepAlive", "32768"],
    ["tcp:80:closeTimeout=-1", "InvalidValue", "closeTimeout", "-1"],
    ["tcp:80:closeTimeout=2147484", "InvalidValue", "closeTimeout", "2147484"],
    ["tcp:80:closeTimeout=infinity", "InvalidValue", "closeTimeout", "infinity"],
    ["unix:", "MissingArgument", "path", ""],
    ["unix::mode=666", "InvalidValue", "path", ""],
    ["unix:/a\0b", "InvalidValue", "path", "/a\0b"],
    ["unix:/a:mode=888", "InvalidValue", "mode", "888"],
    ["unix:/a:mode=7777", "InvalidValue", "mode", "7777"],
    ["tls:1:privateKey=", "InvalidValue", "privateKey", ""],
    ["tls:1:privateKey=k:versionMin=SSLv3", "InvalidValue", "versionMin", "SSLv3"],
    ["tls:1:privateKey=k:alpn=a,,b", "InvalidValue", "alpn", "a,,b"],
    ["tls:1:privateKey=k:ciphers=", "InvalidValue", "ciphers", ""],
    ["tls:1:privateKey=k:ipv6Only=yes", "Conflict", "ipv6Only", "ipv6Only=yes"],
    ["tls:1:privateKey=k:clientAuthorities=c", "Conflict", "clientAuthorities", "clientAuthorities=c"],
    [
      "tls:1:privateKey=k:clientCertificate=require",
      "Conflict",
      "clientCertificate",
      "clientCertificate=require"
    ]
  ])("server %j: %s", (text, ...fault) => {
    assert.deepStrictEqual(faultOf(parseServerSync(text)), fault)
  })

  it.each<Case>([
    ["tcp:h", "MissingArgument", "port", ""],
    ["tcp:h:0", "InvalidValue", "port", "0"],
    ["tcp:h:http", "InvalidValue", "port", "http"],
    ["tcp:80:h", "InvalidValue", "host", "80"],
    ["tcp:h:80:timeout=0", "InvalidValue", "timeout", "0"],
    ["tcp:h:80:timeout=1.", "InvalidValue", "timeout", "1."],
    ["tcp:h:80:timeout=.5", "InvalidValue", "timeout", ".5"],
    ["tcp:h:80:timeout=NaN", "InvalidValue", "timeout", "NaN"],
    ["tcp:h:80:bindPort=1", "Conflict", "bindPort", "bindPort=1"],
    ["tls:h:1:certificate=a", "Conflict", "certificate", "certificate=a"],
    ["ssl:h:1:certKey=a", "Conflict", "certificate", "certKey=a"],
    ["tls:h:1:privateKey=a", "Conflict", "privateKey", "privateKey=a"],
    ["tcp6:h:1", "UnknownScheme", undefined, "tcp6"]
  ])("client %j: %s", (text, ...fault) => {
    assert.deepStrictEqual(faultOf(parseClientSync(text)), fault)
  })

  it.each<Case>([
    ["tcp:53", "UnknownScheme", undefined, "tcp"],
    ["udp", "MissingArgument", "port", ""],
    ["udp:h", "InvalidValue", "port", "h"],
    ["udp:h:0", "InvalidValue", "port", "0"],
    ["udp:h:1:2", "TooManyArguments", undefined, "2"],
    ["udp:1:datagramBytesMax=65536", "InvalidValue", "datagramBytesMax", "65536"]
  ])("udp %j: %s", (text, ...fault) => {
    assert.deepStrictEqual(faultOf(parseUdpSync(text)), fault)
  })
})

describe("messages", () => {
  it("an unknown argument, whole", () => {
    const error = errorOf(parseServerSync("tcp:8080:interfce=127.0.0.1"))
    assert.strictEqual(
      error.message,
      lines(
        `unknown argument "interfce" of tcp`,
        `  tcp:8080:interfce=127.0.0.1`,
        `           ^^^^^^^^`,
        `did you mean "interface"?`,
        `usage: tcp:PORT[:interface=ADDRESS][:backlog=COUNT][:reusePort=yes|no][:noDelay=yes|no]`,
        `         [:keepAlive=yes|no|SECONDS][:keepAliveInterval=SECONDS][:keepAliveCount=COUNT]`,
        `         [:receiveBytesMax=BYTES][:sendBytesMax=BYTES][:closeTimeout=SECONDS]`
      )
    )
    assert.strictEqual(error.reason.fault, "Local")
    assert.strictEqual(error.reason.suggestion, "interface")
    assert.strictEqual(error.cause, undefined)
  })

  it("a usage line of several forms, and of required arguments", () => {
    const [bound, connected] = errorOf(parseUdpSync("udp:x")).usage
    assert.match(bound!, /^udp:PORT\[:interface=ADDRESS\]/)
    assert.match(connected!, /^udp:HOST:PORT\[:bindPort=PORT\]/)
    assert.match(errorOf(parseUdpSync("udp:x")).message, /\n {3}or: udp:HOST:PORT/)
    assert.match(errorOf(parseServerSync("ssl:")).usage[0]!, /^ssl:PORT\[:privateKey=FILE\]\[:certKey=FILE\]/)
  })

  it.each<[string, ...ReadonlyArray<string>]>([
    [
      "",
      "the description is empty",
      "schemes to listen for connections: tcp, tcp6, tls, ssl, unix, fd, systemd, stdio, haproxy, secured"
    ],
    [
      "tpc:80",
      `unknown scheme "tpc"`,
      "  tpc:80",
      "  ^^^",
      `did you mean "tcp"?`,
      "schemes to listen for connections: tcp, tcp6, tls, ssl, unix, fd, systemd, stdio, haproxy, secured"
    ],
    [
      "8080",
      `unknown scheme "8080"`,
      "  8080",
      "  ^^^^",
      `did you mean "tcp:8080"?`,
      "schemes to listen for connections: tcp, tcp6, tls, ssl, unix, fd, systemd, stdio, haproxy, secured"
    ],
    [
      "/run/x",
      `unknown scheme "/run/x"`,
      "  /run/x",
      "  ^^^^^^",
      `did you mean "unix:/run/x"?`,
      "schemes to listen for connections: tcp, tcp6, tls, ssl, unix, fd, systemd, stdio, haproxy, secured"
    ],
    [
      "udp:53",
      `the scheme "udp" cannot be used to listen for connections`,
      "  udp:53",
      "  ^^^",
      "schemes to listen for connections: tcp, tcp6, tls, ssl, unix, fd, systemd, stdio, haproxy, secured"
    ],
    ["tcp", "port of tcp is missing", "  tcp", "     ^"],
    [
      "tcp:http",
      `port of tcp must be a decimal number from 0 to 65535, not "http"`,
      "  tcp:http",
      "      ^^^^",
      "names of services are not looked up: write the number"
    ],
    [
      "tcp:localhost:80",
      `port of tcp must be a decimal number from 0 to 65535, not "localhost"`,
      "  tcp:localhost:80",
      "      ^^^^^^^^^",
      "the address to listen on is given as interface=ADDRESS"
    ],
    [
      "tcp:0080",
      `port of tcp must be a decimal number from 0 to 65535, not "0080"`,
      "  tcp:0080",
      "      ^^^^",
      `did you mean "80"?`
    ],
    [
      "tcp:80:interface=::1",
      "interface of tcp must be an IP address or a host name, not empty",
      "  tcp:80:interface=::1",
      "                   ^",
      "if an IPv6 address is meant, write it in brackets, as [::1]"
    ],
    [
      "tcp:80:interface=fe80::1",
      "an empty argument of tcp",
      "  tcp:80:interface=fe80::1",
      "                        ^",
      "if an IPv6 address is meant, write it in brackets, as [::1]"
    ],
    [
      "tcp:80:127.0.0.1",
      `too many arguments of tcp: "127.0.0.1" has no name`,
      "  tcp:80:127.0.0.1",
      "         ^^^^^^^^^",
      "only PORT may go without a name"
    ],
    ["tcp:80:", "an empty argument of tcp", "  tcp:80:", "         ^", `leave out the ":" before it`],
    [
      "tcp:80:port=81",
      "port of tcp is given twice: by its place and by its name",
      "  tcp:80:port=81",
      "         ^^^^"
    ],
    [
      "tcp:80:ipv6Only=yes",
      `unknown argument "ipv6Only" of tcp`,
      "  tcp:80:ipv6Only=yes",
      "         ^^^^^^^^",
      "ipv6Only is an argument of tcp6, tls"
    ],
    [
      "ssl:80:sslmethod=TLSv1_METHOD",
      `unknown argument "sslmethod" of ssl`,
      "  ssl:80:sslmethod=TLSv1_METHOD",
      "         ^^^^^^^^^",
      "versionMin is the oldest version of TLS to accept"
    ],
    [
      "unix:/tmp/a=b",
      `unknown argument "/tmp/a" of unix`,
      "  unix:/tmp/a=b",
      "       ^^^^^^",
      String.raw`write \= for an equals sign that belongs to a value`
    ],
    [
      String.raw`unix:C:\temp`,
      `a backslash cannot escape "t"`,
      String.raw`  unix:C:\temp`,
      "         ^^",
      String.raw`write \\ for a backslash, \: for a colon, \= for an equals sign`
    ],
    [
      "tls:1:privateKey=k:clientCertificate=required",
      `clientCertificate of tls must be none, request or require, not "required"`,
      "  tls:1:privateKey=k:clientCertificate=required",
      "                                       ^^^^^^^^",
      `did you mean "require"?`
    ],
    [
      "tls:1:privateKey=k:clientCertificate=require",
      "clientCertificate=require needs clientAuthorities: who vouches for the clients",
      "  tls:1:privateKey=k:clientCertificate=require",
      "                     ^^^^^^^^^^^^^^^^^^^^^^^^^"
    ],
    [
      "tcp:80:noDelay=on",
      `noDelay of tcp must be yes or no, not "on"`,
      "  tcp:80:noDelay=on",
      "                 ^^",
      `did you mean "yes"?`
    ],
    [
      "tcp:80:keepAlive=never",
      `keepAlive of tcp must be yes, no, or a number of seconds above 0 to 32767, not "never"`,
      "  tcp:80:keepAlive=never",
      "                   ^^^^^"
    ],
    [
      "tcp:80:closeTimeout=30s",
      `closeTimeout of tcp must be a number of seconds from 0 to 2147483, such as 30 or 0.5, not "30s"`,
      "  tcp:80:closeTimeout=30s",
      "                      ^^^",
      `did you mean "30"?`
    ],
    [
      "unix:/a:mode=rw",
      `mode of unix must be permissions in octal, such as 666 or 600, not "rw"`,
      "  unix:/a:mode=rw",
      "               ^^"
    ]
  ])("%j", (text, ...expected) => {
    assert.strictEqual(messageOf(parseServerSync(text)), lines(...expected))
  })

  it("a client's description without a scheme, with host and port in the wrong order, as a URL", () => {
    assert.include(messageOf(parseClientSync("localhost:80")), `did you mean "tcp:localhost:80"?`)
    assert.include(messageOf(parseClientSync("tcp:80:h")), "the host comes before the port")
    assert.include(messageOf(parseClientSync("tcp://h:80")), "a URL is not a host")
  })

  it("shows what cannot be seen, and keeps the carets in place", () => {
    assert.strictEqual(
      messageOf(parseServerSync("tcp:80:\u001b[31m\u202e\n\t=1")),
      lines(
        String.raw`unknown argument "\x1b[31m\u{202e}\n\t" of tcp`,
        String.raw`  tcp:80:\x1b[31m\u{202e}\n\t=1`,
        `         ^^^^^^^^^^^^^^^^^^^^`,
        String.raw`write \= for an equals sign that belongs to a value`
      )
    )
    assert.strictEqual(
      messageOf(parseClientSync("tcp:日本.e\u0301:80x")),
      lines(
        `port of tcp must be a decimal number from 1 to 65535, not "80x"`,
        `  tcp:日本.e\u0301:80x`,
        `             ^^^`
      )
    )
  })

  it("cuts a long description around the carets, and a long value", () => {
    const long = `tcp:80:interface=${"a".repeat(300)}:port=1:${"b".repeat(300)}`
    const [, text, carets] = messageOf(parseServerSync(long)).split("\n")
    // The long host name is the first mistake: a label has at most 63 characters.
    assert.strictEqual(text, `  tcp:80:interface=${"a".repeat(56)}...`)
    assert.strictEqual(carets, `                   ${"^".repeat(56)}`)
    const [first, shown, marks] = messageOf(
      parseServerSync(`unix:/${"a".repeat(300)}:bogus=1:x=${"b".repeat(300)}`)
    ).split("\n")
    assert.strictEqual(first, `unknown argument "bogus" of unix`)
    assert.strictEqual(shown, `  ...${"a".repeat(26)}:bogus=1:x=${"b".repeat(33)}...`)
    assert.strictEqual(marks, `  ${" ".repeat(30)}^^^^^`)
    const [sentence] = messageOf(parseServerSync(`tcp:${"9".repeat(300)}`)).split("\n")
    assert.include(sentence, `not "${"9".repeat(40)}..."`)
  })

  it("no line is wide, whatever the description", () => {
    for (const text of [
      "x".repeat(1e5),
      `tcp:${"😀".repeat(1e4)}`,
      `tcp:1:${"\0".repeat(1e4)}=1`,
      `tcp:1${":a".repeat(1e4)}`
    ]) {
      for (const line of errorOf(parseServerSync(text)).message.split("\n")) {
        assert.isBelow(Array.from(line).length, 230, line)
      }
    }
  })
})

describe("suggestions", () => {
  it.each<[string, ReadonlyArray<string>, string | undefined]>([
    ["interfce", ["port", "interface"], "interface"],
    ["INTERFACE", ["port", "interface"], "interface"],
    ["back", ["backlog", "port"], "backlog"],
    ["prot", ["port", "path"], "port"],
    ["tpc", ["tls", "tcp"], "tcp"],
    ["x", ["port"], undefined],
    ["elephant", ["port", "backlog"], undefined],
    ["", ["a"], undefined],
    ["se", ["sendBytesMax", "sendBufferBytes"], undefined],
    ["i".repeat(1e6), ["interface"], undefined]
  ])("%.20s", (word, valid, expected) => {
    assert.strictEqual(nearest(word, valid), expected)
  })
})
