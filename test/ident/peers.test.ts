/** Debian's servers; and the tables of this machine, where it is Linux. */
import * as fs from "node:fs"
import * as os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as IdentClient from "../../src/ident/IdentClient.ts"
import * as IdentProc from "../../src/ident/IdentProc.ts"
import * as IdentServer from "../../src/ident/IdentServer.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeReadFiles from "../../src/node/NodeReadFiles.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, socat, which } from "../support/peers.ts"

const tcp = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
const node = Effect.provide(NodeReactor.layer)

const query = { portOnServer: 6193, portOnClient: 23 }
const daemon = (name: string): Peer => ({
  name,
  debian: name,
  path: which(name) ?? [`/usr/sbin/${name}`].find((path) => fs.existsSync(path))
})

// Not Twisted: its server and its client (22.4) fail on every line, with a TypeError.
describePeer(daemon("nullidentd"), (command) => {
  describePeer(socat, (socat) => {
    it.live("is asked by our client", () =>
      Effect.gen(function* () {
        // It does not run as root.
        const su = process.getuid?.() === 0 ? ",su=nobody" : ""
        const listening = "TCP-LISTEN:0,bind=127.0.0.1,fork"
        const child = yield* Child.spawn(socat, ["-d", "-d", listening, `EXEC:${command} alice${su}`])
        const [, port] = yield* child.says(/listening on .*?127\.0\.0\.1:(\d+)/)
        assert.deepInclude(yield* IdentClient.ask(at(Number(port)), query), { system: "UNIX", user: "alice" })
      }).pipe(Effect.scoped, node)
    )
  })
})

describe("Linux", () => {
  const hasTables = fs.existsSync("/proc/net/tcp")
  it.live.skipIf(!hasTables)(
    `names the user of this process${hasTables ? "" : ": there is no /proc/net/tcp"}`,
    () =>
      Effect.gen(function* () {
        const server = yield* Server.make(tcp, IdentServer.protocol())
        const other = yield* Server.make(tcp, () => Effect.never, { drainTimeout: 0 })
        const connection = yield* Client.connect(at(portOf(other.address)))
        const query = { portOnServer: portOf(connection.local), portOnClient: portOf(connection.peer) }
        const { user } = yield* IdentClient.ask(at(portOf(server.address)), query)
        assert.strictEqual(user, os.userInfo().username)
        const none = yield* Effect.flip(
          IdentClient.ask(at(portOf(server.address)), { ...query, portOnClient: 1 })
        )
        assert.strictEqual("reason" in none && none.reason._tag, "NoUser")
      }).pipe(
        Effect.scoped,
        Effect.provide(IdentProc.layer),
        Effect.provideService(FileSystem.FileSystem, NodeReadFiles.make),
        node
      )
  )
})
