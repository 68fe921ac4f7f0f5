import { assert, describe, it } from "@effect/vitest"
import * as InetdConf from "../../src/inetd/InetdConfWire.ts"
import * as Services from "../../src/inetd/ServicesWire.ts"

const services = Services.parse(`
# a comment
ftp        21/tcp
tftp       69/udp    trivial # with another name
echo       4/ddp
broken
high       70000/tcp
x          80/tcp  www  http
x          81/tcp
`)

const one = (line: string) => {
  const { entries, problems } = InetdConf.parse(line, services)
  assert.deepStrictEqual([entries.length, problems.length], [1, 0], problems[0]?.detail)
  return entries[0]!
}

const problem = (line: string): string => {
  const { entries, problems } = InetdConf.parse(line, services)
  assert.deepStrictEqual([entries.length, problems.length], [0, 1])
  return problems[0]!.detail
}

describe("services(5)", () => {
  it("names and aliases, the first one holds", () => {
    assert.deepStrictEqual(
      [...services],
      [
        ["ftp/tcp", 21],
        ["tftp/udp", 69],
        ["trivial/udp", 69],
        ["echo/ddp", 4],
        ["x/tcp", 80],
        ["www/tcp", 80],
        ["http/tcp", 80]
      ]
    )
  })

  it("the small services are known without it; numbers are numbers", () => {
    assert.strictEqual(Services.portOf(services, "echo", "udp"), 7)
    assert.strictEqual(Services.portOf(services, "7007", "tcp"), 7007)
    for (const name of ["0", "65536", "nothing", "ftp "]) {
      assert.isUndefined(Services.portOf(services, name, "tcp"), name)
    }
  })
})

describe("inetd.conf(5)", () => {
  it("a program", () => {
    assert.deepStrictEqual(one("ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd -l -a"), {
      line: 1,
      service: "ftp",
      port: 21,
      protocol: "tcp",
      family: "IPv4",
      address: undefined,
      wait: false,
      startsMax: 256,
      user: "root",
      group: undefined,
      program: { path: "/usr/sbin/in.ftpd", argv0: "in.ftpd", args: ["-l", "-a"] }
    })
  })

  it("an internal service never waits, whatever is written", () => {
    const { program, wait, port } = one("echo\tdgram\tudp\twait\troot\tinternal")
    assert.deepStrictEqual([program, wait, port], [undefined, false, 7])
  })

  it("wait and nowait, with how often it may be started", () => {
    const waiting = (word: string) => {
      const { startsMax, wait } = one(`69 dgram udp ${word} nobody /bin/tftpd`)
      return [wait, startsMax]
    }
    assert.deepStrictEqual(waiting("wait"), [true, 256])
    assert.deepStrictEqual(waiting("wait.20"), [true, 20])
    assert.deepStrictEqual(waiting("wait:0"), [true, Number.POSITIVE_INFINITY])
    assert.deepStrictEqual(one("x stream tcp nowait.3 nobody /bin/x").startsMax, 3)
  })

  it("users and groups", () => {
    const owner = (word: string) => {
      const { group, user } = one(`x stream tcp nowait ${word} /bin/x`)
      return [user, group]
    }
    assert.deepStrictEqual(owner("www-data"), ["www-data", undefined])
    assert.deepStrictEqual(owner("nobody.nogroup"), ["nobody", "nogroup"])
    assert.deepStrictEqual(owner("nobody:nogroup"), ["nobody", "nogroup"])
    assert.deepStrictEqual(owner("1000.1000"), ["1000", "1000"])
  })

  it("addresses and families", () => {
    const place = (where: string, protocol: string) => {
      const { address, family, port } = one(`${where} stream ${protocol} nowait root /bin/x`)
      return [address, family, port]
    }
    assert.deepStrictEqual(place("127.0.0.1:www", "tcp"), ["127.0.0.1", "IPv4", 80])
    assert.deepStrictEqual(place("[::1]:www", "tcp6"), ["::1", "IPv6", 80])
    assert.deepStrictEqual(place("::1:www", "tcp6"), ["::1", "IPv6", 80])
    assert.deepStrictEqual(place("*:www", "tcp4"), [undefined, "IPv4", 80])
  })

  it("without arguments a program goes by its path", () => {
    assert.deepStrictEqual(one("x stream tcp nowait root /bin/x").program, {
      path: "/bin/x",
      argv0: "/bin/x",
      args: []
    })
  })

  it("comments, empty lines, continuation lines and CR LF", () => {
    const { entries, problems } = InetdConf.parse(
      [
        "# all of this",
        "",
        "x stream tcp nowait root",
        "  /bin/x x one",
        "\ttwo",
        "# between",
        "  ftp stream tcp nowait root /bin/ftpd # no comment\r",
        ""
      ].join("\n"),
      services
    )
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(
      entries.map(({ line, program }) => [line, program?.args.join(" ")]),
      [
        [3, "one two"],
        [7, "no comment"]
      ]
    )
  })

  it("what cannot be used is told with its line, and the rest holds", () => {
    const conf = InetdConf.parse(
      "echo stream tcp nowait root internal\nnonsense\ntime stream tcp nowait root internal\ntime dgram udp wait root\n",
      services
    )
    assert.deepStrictEqual(
      conf.entries.map(({ line, service }) => [line, service]),
      [
        [1, "echo"],
        [3, "time"]
      ]
    )
    assert.deepStrictEqual(
      conf.problems.map(({ line }) => line),
      [2, 4]
    )
  })

  it("every mistake says what it is", () => {
    for (const [line, said] of [
      ["echo stream tcp nowait root", /^5 fields where at least 6 belong/],
      ["unheard-of stream tcp nowait root /bin/x", /^no port is known for "unheard-of\/tcp"$/],
      ["tftp stream tcp nowait root /bin/x", /no port is known for "tftp\/tcp"/],
      ["0 stream tcp nowait root /bin/x", /no port/],
      ["x stream sctp nowait root /bin/x", /"sctp" is no protocol/],
      ["x stream constructor nowait root /bin/x", /"constructor" is no protocol/],
      ["x dgram tcp nowait root /bin/x", /stream sockets, not dgram/],
      ["x raw tcp nowait root /bin/x", /"raw" is no supported type/],
      ["x stream tcp maybe root /bin/x", /"maybe" is neither wait nor nowait/],
      ["x stream tcp nowait a.b.c /bin/x", /"a.b.c" is no user/],
      ["x stream tcp nowait root bin/x", /"bin\/x" is no absolute path/],
      ["x stream tcp nowait root internal", /"x" is no internal service \(echo,/],
      ["tftp dgram udp nowait root /bin/x", /must be wait/],
      ["mountd/1 dgram rpc/udp wait root /bin/x", /ONC RPC/],
      ["/run/x stream unix nowait root /bin/x", /UNIX sockets/],
      ["tcpmux stream tcp nowait root internal", /refused on purpose/],
      ["tcpmux/+date stream tcp nowait root /bin/date", /refused on purpose/],
      ["x\x1b[2J stream tcp nowait root /bin/x", /"x\?\[2J\/tcp"/]
    ] as const) {
      assert.match(problem(line), said)
    }
    assert.isBelow(problem(`${"y".repeat(1000)} stream tcp nowait root /bin/x`).length, 120)
  })
})
