/** Datagrams, and BIND, with others: Dante's server and our client, PySocks' client and our server. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as SocksClient from "../../src/socks/SocksClient.ts"
import * as SocksDatagram from "../../src/socks/SocksDatagram.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { portOf, read } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, pythonWith } from "../support/peers.ts"

const host = "127.0.0.1"
const tcp = Endpoint.tcp({ port: 0, interface: host })
const node = Effect.provide(NodeReactor.layer)

/** Sends datagrams back in capitals; its port. */
const shouting = Effect.gen(function* () {
  const reactor = yield* Reactor
  const port = yield* reactor.datagram(Endpoint.udp({ interface: host }))
  yield* Effect.forkScoped(
    port.receiveEach((batch) =>
      Effect.forEach(
        batch,
        ({ bytes, peer }) => port.send(new TextDecoder().decode(bytes).toUpperCase(), peer),
        { discard: true }
      )
    ),
    { startImmediately: true }
  )
  return portOf(port.local)
})

const client = `
import socks, sys
proxy, target = map(int, sys.argv[1:])
s = socks.socksocket(socks.socket.AF_INET, socks.socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, "127.0.0.1", proxy)
s.settimeout(10)
for name in ("127.0.0.1", "localhost"):
    s.sendto(("to " + name).encode(), (name, target))
    data, peer = s.recvfrom(1000)
    print(data.decode(), peer[0], peer[1] == target, flush=True)
`

describePeer(pythonWith("socks", "python3-socks"), (python) => {
  it.live("its datagrams pass our server", () =>
    Effect.gen(function* () {
      const rules = SocksRules.make({ commands: ["associate"], allow: ["127.0.0.0/8"] })
      const server = yield* Server.make(tcp, SocksServer.protocol()).pipe(
        Effect.provideService(SocksRules.SocksRules, rules),
        Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
      )
      const args = ["-c", client, String(portOf(server.address)), String(yield* shouting)]
      const { stderr, stdout } = yield* Child.run(python, args, { timeout: 20_000 })
      assert.strictEqual(stdout, "TO 127.0.0.1 127.0.0.1 True\nTO LOCALHOST 127.0.0.1 True\n", stderr)
    }).pipe(Effect.scoped, node)
  )
})

const dante = {
  name: "danted",
  debian: "dante-server",
  path: ["/usr/sbin/danted"].find((file) => fs.existsSync(file))
}

const configuration = (port: number) => `
logoutput: stderr
internal: ${host} port = ${port}
external: ${host}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect bind udpassociate }
socks pass { from: 0.0.0.0/0 to: 127.0.0.0/8 command: bindreply udpreply }
`

describePeer(dante, (command) => {
  const privileged = process.getuid?.() === 0
  it.live.skipIf(!privileged)(
    `passes datagrams of ours on, and connections both ways${privileged ? "" : ": it needs root"}`,
    () =>
      Effect.gen(function* () {
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-dante-"))),
          (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
        )
        // Free for a moment: nobody else in this test takes ports meanwhile.
        const port = yield* Effect.scoped(
          Effect.map(
            Server.make(tcp, () => Effect.void),
            ({ address }) => portOf(address)
          )
        )
        const file = path.join(folder, "danted.conf")
        fs.writeFileSync(file, configuration(port))
        const child = yield* Child.spawn(command, ["-f", file, "-p", path.join(folder, "pid")])
        yield* child.says(/running/)
        const proxy = Endpoint.tcpClient({ host, port })

        const target = yield* shouting
        const datagrams = yield* SocksDatagram.open({ proxy })
        const receive = Effect.timeout(datagrams.receive, "10 seconds")
        yield* datagrams.send("by address", NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, target))
        assert.strictEqual(new TextDecoder().decode((yield* receive)[0]!.bytes), "BY ADDRESS")
        yield* datagrams.sendTo("by name", { host: "localhost", port: target })
        const [named] = yield* receive
        assert.strictEqual(new TextDecoder().decode(named!.bytes), "BY NAME")
        assert.strictEqual(portOf(named!.peer), target)

        const control = yield* Client.connect(proxy)
        const { accepted, address } = yield* SocksClient.bind(control, { host, port: 21 })
        const caller = yield* Client.connect(Endpoint.tcpClient({ host, port: address.port }))
        assert.strictEqual((yield* accepted).port, portOf(caller.local))
        yield* caller.send("call back")
        assert.strictEqual(yield* read(control), "call back")
      }).pipe(Effect.scoped, node)
  )
})
