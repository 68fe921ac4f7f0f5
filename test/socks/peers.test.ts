/** curl, nc, ssh -D, and Twisted's proxy. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { portOf, read } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { curl, describePeer, netcat, twisted, which } from "../support/peers.ts"

const host = "127.0.0.1"
const tcp = Endpoint.tcp({ port: 0, interface: host })
const node = Effect.provide(NodeReactor.layer)
const body = "x".repeat(300_000)

/** Answers whatever is asked for. */
const web = Effect.map(
  Server.make(tcp, (transport: Transport) =>
    Effect.gen(function* () {
      yield* transport.receive
      yield* transport.send(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }).pipe(Effect.ignore)
  ),
  ({ address }) => portOf(address)
)

/** Sends back. */
const echo = Effect.map(
  Server.make(tcp, (transport: Transport) => transport.receiveEach(transport.send)),
  ({ address }) => portOf(address)
)

const proxy = (
  options: SocksRules.Options = {},
  users: SocksUsers.SocksUsers["Service"] = SocksUsers.nobodyAsked
) =>
  Server.make(tcp, SocksServer.protocol()).pipe(
    Effect.map(({ address }) => portOf(address)),
    Effect.provideService(SocksRules.SocksRules, SocksRules.make(options)),
    Effect.provideService(SocksUsers.SocksUsers, users)
  )

const local = { allow: ["127.0.0.0/8", "::1"] }

const talks = Effect.fnUntraced(function* (transport: Transport) {
  yield* transport.send("hello")
  assert.strictEqual(yield* read(transport), "hello")
})

describePeer(curl, (command) => {
  const fetch = (...args: ReadonlyArray<string>) =>
    Child.run(command, ["--silent", "--max-time", "10", ...args])

  it.live("by 4, 4a, 5, 5 with names", () =>
    Effect.gen(function* () {
      const [target, port] = [yield* web, yield* proxy(local)]
      for (const way of ["--socks4", "--socks4a", "--socks5", "--socks5-hostname"]) {
        for (const name of [host, "localhost"]) {
          const { code, stdout } = yield* fetch(way, `${host}:${port}`, `http://${name}:${target}/`)
          assert.deepStrictEqual([code, stdout.length], [0, body.length], `${way} ${name}`)
        }
      }
    }).pipe(Effect.scoped, node)
  )

  it.live("is refused what is inside, by default, and told so", () =>
    Effect.gen(function* () {
      const [target, port] = [yield* web, yield* proxy()]
      for (const way of ["--socks4", "--socks4a", "--socks5", "--socks5-hostname"]) {
        const { code, stdout } = yield* fetch(way, `${host}:${port}`, `http://localhost:${target}/`)
        // CURLE_PROXY
        assert.deepStrictEqual([code, stdout], [97, ""], way)
      }
    }).pipe(Effect.scoped, node)
  )

  it.live("logs in", () =>
    Effect.gen(function* () {
      const target = yield* web
      const port = yield* proxy(local, SocksUsers.memory([["bob", Redacted.make("se:cret")]]))
      const ask = (login: ReadonlyArray<string>) =>
        Effect.map(
          fetch("--socks5", `${host}:${port}`, ...login, `http://${host}:${target}/`),
          ({ code }) => code
        )
      assert.strictEqual(yield* ask(["--proxy-user", "bob:se:cret"]), 0)
      assert.strictEqual(yield* ask(["--proxy-user", "bob:secret"]), 97)
      assert.strictEqual(yield* ask([]), 97)
    }).pipe(Effect.scoped, node)
  )
})

describePeer(netcat, (command) => {
  it.live("by 4 and 5", () =>
    Effect.gen(function* () {
      const [target, port] = [yield* echo, yield* proxy(local)]
      for (const version of ["4", "5"]) {
        const args = ["-N", "-X", version, "-x", `${host}:${port}`, host, String(target)]
        const { stdout } = yield* Child.run(command, args, { input: "hello", timeout: 10_000 })
        assert.strictEqual(stdout, "hello")
      }
    }).pipe(Effect.scoped, node)
  )
})

const twistedProxy = `
from twisted.internet import reactor
from twisted.protocols import socks
print("port", reactor.listenTCP(0, socks.SOCKSv4Factory(None), interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("its proxy leads our client: 4, and 4a with names", () =>
      Effect.gen(function* () {
        const target = yield* echo
        const child = yield* Child.spawn(python, ["-c", twistedProxy])
        const [, port] = yield* child.says(/^port (\d+)$/m)
        const through = SocksEndpoint.through({
          proxy: Endpoint.tcpClient({ host, port: Number(port) }),
          version: 4
        })
        for (const name of [host, "localhost"]) {
          yield* talks(yield* Client.connect(through(Endpoint.tcpClient({ host: name, port: target }))))
        }
      }).pipe(Effect.scoped, node)
    )
  })
})

const sshd = {
  name: "ssh -D, sshd",
  debian: "openssh-server",
  path: which("ssh") === undefined ? undefined : ["/usr/sbin/sshd"].find((file) => fs.existsSync(file))
}

describePeer(sshd, (command) => {
  const privileged = process.getuid?.() === 0
  const words = (text: string) => text.split(" ")
  it.live.skipIf(!privileged)(
    `leads our client by 4, 4a and 5${privileged ? "" : ": its server needs root"}`,
    () =>
      Effect.gen(function* () {
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-ssh-"))),
          (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
        )
        const file = (name: string) => path.join(folder, name)
        for (const key of ["host", "user"]) {
          yield* Child.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(key)])
        }
        fs.copyFileSync(file("user.pub"), file("authorized"))
        // Free for a moment: nobody else in this test takes ports meanwhile.
        const free = Effect.scoped(
          Effect.map(
            Server.make(tcp, () => Effect.void),
            ({ address }) => portOf(address)
          )
        )
        const [sshPort, socksPort] = [yield* free, yield* free]
        fs.mkdirSync("/run/sshd", { recursive: true })
        const daemon =
          `-D -e -f /dev/null -p ${sshPort} -h ${file("host")} -o AuthorizedKeysFile=${file("authorized")} ` +
          `-o StrictModes=no -o UsePAM=no -o ListenAddress=${host} -o PermitRootLogin=yes -o PidFile=none`
        const server = yield* Child.spawn(command, words(daemon))
        yield* server.says(/Server listening/)
        const forwarding =
          `-v -N -D ${host}:${socksPort} -p ${sshPort} -i ${file("user")} -F none -o StrictHostKeyChecking=no ` +
          `-o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none ${host}`
        const ssh = yield* Child.spawn("ssh", words(forwarding))
        yield* ssh.says(/Entering interactive session/)
        const target = yield* echo
        for (const options of [{}, { version: 4 }, { resolve: "local" }] as const) {
          for (const name of [host, "localhost"]) {
            const through = SocksEndpoint.through({
              proxy: Endpoint.tcpClient({ host, port: socksPort }),
              ...options
            })
            yield* talks(yield* Client.connect(through(Endpoint.tcpClient({ host: name, port: target }))))
          }
        }
      }).pipe(Effect.scoped, node)
  )
})
