/** telnet(1), Python's telnetlib, and Twisted's conch.telnet, which is asked both ways. */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as TelnetClient from "../../src/telnet/TelnetClient.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import { option } from "../../src/telnet/TelnetWire.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, twisted, which, whichAll } from "../support/peers.ts"

const host = "127.0.0.1"
const node = Effect.provide(NodeReactor.layer)

const serverWith = (options?: TelnetServer.Options) =>
  Server.make(Endpoint.tcp({ port: 0, interface: host }), TelnetServer.protocol(options)).pipe(
    Effect.map(({ address }) => portOf(address)),
    Effect.provide(TelnetShell.layer())
  )
const server = serverWith()

describePeer({ name: "telnet", debian: "inetutils-telnet", path: which("telnet") }, (command) => {
  it.live("without a terminal", () =>
    Effect.gen(function* () {
      const port = yield* server
      const child = yield* Child.spawn(command, [host, String(port)])
      yield* child.says(/This is Spindle/)
      yield* child.write("echo hello\n")
      yield* child.says(/hello\r?\n> /)
      yield* child.write("quit\n")
      yield* child.says(/Bye\./)
      yield* child.ended
    }).pipe(Effect.scoped, node)
  )

  describePeer({ name: "script", debian: "bsdutils", path: which("script") }, (script) => {
    it.live("at a terminal: each key is shown by us, the terminal and its size are told", () =>
      Effect.gen(function* () {
        const port = yield* server
        const line = `stty rows 33 cols 99; TERM=xterm ${command} -E ${host} ${port}`
        const child = yield* Child.spawn(script, ["-qec", line, "/dev/null"])
        yield* child.says(/This is Spindle[^]*> /)
        // It has heard our question for its terminal when it shows what we said after it.
        yield* child.write("help\r")
        yield* child.says(/\nhelp, history|echo, help/)
        // Keys that are changed before they are entered.
        yield* child.write("terminak\x7fl\r")
        yield* child.says(/xterm, 99 x 33/i)
        yield* child.write("ec\t")
        yield* child.says(/> echo $/)
        yield* child.write("two\x1b[D\x1b[D\x1b[Done \r")
        yield* child.says(/one two[^\n]*\r?\n[^\n]*one two\r?\n/)
        yield* child.write("\x1b[A\x1b[A\x15quit\r")
        yield* child.says(/Bye\./)
        yield* child.ended
      }).pipe(Effect.scoped, node)
    )

    it.live("at a terminal: what runs is interrupted by ^C, and by the command's own word for it", () =>
      Effect.gen(function* () {
        const port = yield* server
        const line = `TERM=xterm ${command} ${host} ${port}`
        const child = yield* Child.spawn(script, ["-qec", line, "/dev/null"])
        yield* child.says(/This is Spindle[^]*> /)
        yield* child.write("count\r")
        yield* child.says(/1 \(\^C ends it\)/)
        yield* child.write("\x03")
        yield* child.says(/\^C\r?\n[^]*> /)
        yield* child.write("count\r")
        yield* child.says(/ends it\)[^]*ends it\)/)
        yield* child.write("\x1d")
        yield* child.says(/telnet> /)
        yield* child.write("send ip\r")
        yield* child.says(/\^C[^]*\^C\r?\n[^]*> /)
        yield* child.write("\x1d")
        yield* child.says(/telnet> [^]*telnet> /)
        yield* child.write("send ayt\r")
        yield* child.says(/\[Yes\]/)
        // Characters of several bytes and columns, a paste, an undo.
        yield* child.write("echo \u00e9\u6f22\ud83d\ude00\x1b[D\x7f\u5b57\r")
        yield* child.says(/\u00e9\u5b57\ud83d\ude00\r?\n[^]*> /)
        yield* child.write("\x1b[200~echo a\rquit\r\x1b[201~ twice")
        yield* child.says(/echo a quit twice/)
        yield* child.write("\x1f!\r")
        yield* child.says(/a quit!\r?\n[^]*> $/)
        yield* child.write("quit\r")
        yield* child.says(/Bye\./)
        yield* child.ended
      }).pipe(Effect.scoped, node)
    )

    it.live("in line mode (RFC 1184): it edits its lines itself, and its user's signals are commands", () =>
      Effect.gen(function* () {
        const port = yield* serverWith({ lineMode: true })
        const line = `TERM=xterm ${command} -E ${host} ${port}`
        const child = yield* Child.spawn(script, ["-qec", line, "/dev/null"])
        yield* child.says(/This is Spindle[^]*> /)
        // It has heard all our questions when it shows what we said after them.
        yield* child.write("help\r")
        yield* child.says(/count, echo, help/)
        yield* child.write("termix\x7f\x7f")
        yield* child.write("inal\r")
        yield* child.says(/XTERM, \d+ x \d+/i)
        yield* child.write("count\r")
        yield* child.says(/1 \(\^C ends it\)/)
        yield* child.write("\x03")
        yield* child.write("echo still here\r")
        yield* child.says(/echo still here\r?\n[^\n]*still here\r?\n/)
        yield* child.write("\x04")
        yield* child.ended
      }).pipe(Effect.scoped, node)
    )
  })
})

/** It is gone from Python 3.13 on. */
const telnetlib = (): Peer => {
  const has = (python: string): boolean => {
    try {
      execFileSync(python, ["-W", "ignore", "-c", "import telnetlib"], { stdio: "ignore", timeout: 10_000 })
      return true
    } catch {
      return false
    }
  }
  return { name: "python3 with telnetlib", debian: "python3", path: whichAll("python3").find(has) }
}

const asking = `
import sys, telnetlib
t = telnetlib.Telnet("127.0.0.1", int(sys.argv[1]), 10)
t.read_until(b"> ", 10)
t.write(b"echo a\\xff\\xffb\\r\\n")
print(t.read_until(b"> ", 10))
t.write(b"quit\\r\\n")
print(t.read_all())
`

describePeer(telnetlib(), (python) => {
  it.live("refuses every option, and talks in lines", () =>
    Effect.gen(function* () {
      const port = yield* server
      const { code, stderr, stdout } = yield* Child.run(python, ["-W", "ignore", "-c", asking, String(port)])
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /b'.*a.*b\\r\\n> '\nb'Bye\.\\r\\n'\n/)
    }).pipe(Effect.scoped, node)
  )
})

/** A server that shows what is typed, wants the window's size and the terminal's name, and says what it hears. */
const twistedServer = `
from twisted.internet import reactor, protocol
from twisted.conch import telnet
class Shout(telnet.TelnetProtocol):
    def enableLocal(self, option): return option == telnet.ECHO
    def enableRemote(self, option): return option in (telnet.NAWS, b"\\x18")
    def connectionMade(self):
        t = self.transport
        t.negotiationMap[telnet.NAWS] = lambda data: t.write(b"window %r\\n" % (b"".join(data),))
        t.negotiationMap[b"\\x18"] = lambda data: t.write(b"terminal %r\\n" % (b"".join(data),))
        t.will(telnet.ECHO).addCallback(lambda _: t.write(b"echo on\\n"))
        t.do(telnet.NAWS)
        t.do(b"\\x18").addCallback(lambda _: t.requestNegotiation(b"\\x18", b"\\x01"))
        t.will(telnet.LINEMODE).addErrback(lambda _: t.write(b"linemode refused\\n"))
    def dataReceived(self, data):
        self.transport.write(data.upper())
class Factory(protocol.Factory):
    def buildProtocol(self, addr): return telnet.TelnetTransport(Shout)
print("port", reactor.listenTCP(0, Factory(), interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
`

/** A client that lets the server show what is typed, and refuses the rest. */
const twistedClient = `
import sys
from twisted.internet import reactor, protocol
from twisted.conch import telnet
class Talk(telnet.TelnetProtocol):
    heard = b""
    said = False
    def enableRemote(self, option): return option in (telnet.ECHO, telnet.SGA)
    def enableLocal(self, option): return option == telnet.SGA
    def dataReceived(self, data):
        self.heard += data
        if b"> " in self.heard and not self.said:
            self.said = True
            self.transport.write(b"echo \\xff\\r\\nquit\\r\\n")
    def connectionLost(self, reason):
        print(self.heard, flush=True)
        reactor.stop()
class Factory(protocol.ClientFactory):
    def buildProtocol(self, addr): return telnet.TelnetTransport(Talk)
reactor.connectTCP("127.0.0.1", int(sys.argv[1]), Factory())
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("its server, asked by our client", () =>
      Effect.gen(function* () {
        const child = yield* Child.spawn(python, ["-c", twistedServer])
        const [, port] = yield* child.says(/^port (\d+)$/m)
        const client = TelnetClient.make(
          yield* Client.connect(Endpoint.tcpClient({ host, port: Number(port) })),
          { terminalType: "vt100", window: { columns: 255, rows: 24 } }
        )
        let heard = ""
        const until = (pattern: RegExp) =>
          Effect.gen(function* () {
            while (!pattern.test(heard)) heard += yield* client.receiveText
          }).pipe(Effect.timeout("10 seconds"))
        for (const pattern of [
          /echo on\n/,
          /linemode refused\n/,
          /window b'\\x00\\xff\\x00\\x18'\n/,
          /terminal b'\\x00vt100'\n/
        ])
          yield* until(pattern)
        assert.isTrue(client.telnet.isOn("Remote", option.echo))
        yield* client.send("hello\n")
        yield* until(/HELLO\n/)
      }).pipe(Effect.scoped, node)
    )

    it.live("its client, at our server", () =>
      Effect.gen(function* () {
        const port = yield* server
        const { code, stderr, stdout } = yield* Child.run(python, ["-c", twistedClient, String(port)])
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.match(stdout, /> .*echo .*\\n.*Bye\./)
      }).pipe(Effect.scoped, node)
    )
  })
})
