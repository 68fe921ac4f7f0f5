/** finger(1), in.fingerd and Twisted. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FingerClient from "../../src/finger/FingerClient.ts"
import * as FingerDirectory from "../../src/finger/FingerDirectory.ts"
import * as FingerServer from "../../src/finger/FingerServer.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, socat, twisted, which } from "../support/peers.ts"

const daemon = (name: string, file: string): Peer => ({
  name,
  debian: "fingerd",
  path: which(name) ?? [file].find((path) => fs.existsSync(path))
})

const people = FingerDirectory.layer([
  { login: "alice", name: "Alice", shell: "/bin/sh", plan: "Say \x1b[5mhi." }
])
const node = Effect.provide(NodeReactor.layer)

describePeer({ name: "finger", debian: "finger", path: which("finger") }, (command) => {
  // It knows one port only, 79: of an address that nobody else uses, where we may.
  const host = "127.79.0.1"
  const privileged = process.getuid?.() === 0
  it.live.skipIf(!privileged)(
    `asks our server${privileged ? "" : ", which needs port 79: not as this user"}`,
    () =>
      Effect.gen(function* () {
        yield* Server.make(
          Endpoint.tcp({ port: 79, interface: host }),
          FingerServer.protocol({ listing: true })
        )
        const ask = (...args: ReadonlyArray<string>) =>
          Effect.map(Child.run(command, args), ({ stdout }) => stdout.replaceAll("\r", ""))
        assert.match(yield* ask(`alice@${host}`), /Login: alice\nName: Alice\nPlan:\nSay \\x1b\[5mhi\.\n/)
        assert.match(yield* ask("-l", `alice@${host}`), /Shell: \/bin\/sh\n/)
        assert.match(yield* ask(`nobody@${host}`), /No such user/)
        assert.match(yield* ask(`@${host}`), /Login +Name/)
        assert.match(yield* ask(`alice@elsewhere@${host}`), /forwarding service denied/)
      }).pipe(Effect.scoped, Effect.provide(people), node)
  )
})

describePeer(daemon("in.fingerd", "/usr/sbin/in.fingerd"), (command) => {
  describePeer(socat, (socat) => {
    it.live("is asked by our client", () =>
      Effect.gen(function* () {
        const listening = `TCP-LISTEN:0,bind=127.0.0.1,fork`
        const child = yield* Child.spawn(socat, ["-d", "-d", listening, `EXEC:${command}`])
        const [, port] = yield* child.says(/listening on .*?127\.0\.0\.1:(\d+)/)
        const text = yield* FingerClient.ask(Endpoint.tcpClient({ host: "127.0.0.1", port: Number(port) }), {
          user: "root",
          hosts: [],
          verbose: true
        })
        assert.match(text, /root/)
        assert.notInclude(text, "\r")
      }).pipe(Effect.scoped, node)
    )
  })
})

const server = `
from twisted.internet import reactor
from twisted.protocols import finger
from twisted.internet.protocol import Factory
factory = Factory()
factory.protocol = finger.Finger
print("port", reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("its server, and ours beside it", () =>
      Effect.gen(function* () {
        const child = yield* Child.spawn(python, ["-c", server])
        const [, port] = yield* child.says(/^port (\d+)$/m)
        const ours = yield* Server.make(
          Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
          FingerServer.protocol()
        )
        const ask = (port: number, hosts: ReadonlyArray<string>) =>
          FingerClient.ask(Endpoint.tcpClient({ host: "127.0.0.1", port }), {
            user: "alice",
            hosts,
            verbose: false
          })
        const ourPort = "port" in ours.address ? ours.address.port : 0
        for (const hosts of [[], ["elsewhere"]]) {
          assert.strictEqual(
            (yield* ask(Number(port), hosts)).trimEnd(),
            (yield* ask(ourPort, hosts)).trimEnd()
          )
        }
      }).pipe(Effect.scoped, Effect.provide(FingerDirectory.layer()), node)
    )
  })
})
