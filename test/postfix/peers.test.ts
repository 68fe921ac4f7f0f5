/** postmap(1) of Postfix, and Twisted's server. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as PostfixClient from "../../src/postfix/PostfixClient.ts"
import * as PostfixServer from "../../src/postfix/PostfixServer.ts"
import * as PostfixTable from "../../src/postfix/PostfixTable.ts"
import * as SocketmapServer from "../../src/postfix/SocketmapServer.ts"
import * as SocketmapTables from "../../src/postfix/SocketmapTables.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, twisted, which } from "../support/peers.ts"

const tcp = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
const entries = [
  ["alice@example.org", "alice"],
  ["with space", "50% of\tit"],
  ["müller@example.org", "größe"]
] as const
const node = Effect.provide(NodeReactor.layer)

describePeer({ name: "postmap", debian: "postfix", path: which("postmap") }, (command) => {
  /** Its configuration, and what it says to these keys. */
  const ask = Effect.fnUntraced(function* (map: string, keys: ReadonlyArray<string>) {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-postfix-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
    )
    fs.writeFileSync(
      path.join(folder, "main.cf"),
      "compatibility_level = 2\nmail_owner = mail\nsetgid_group = tty\ndefault_privs = daemon\n"
    )
    const input = keys.map((key) => `${key}\n`).join("")
    return yield* Child.run(command, ["-c", folder, "-q", "-", map], { input })
  })
  const expected = entries.map(([key, value]) => `${key}\t${value}\n`).join("")
  const keys = [...entries.map(([key]) => key), "nobody@example.org"]

  it.live("asks our server", () =>
    Effect.gen(function* () {
      const server = yield* Server.make(tcp, PostfixServer.protocol())
      const { stderr, stdout } = yield* ask(`tcp:127.0.0.1:${portOf(server.address)}`, keys)
      assert.strictEqual(stdout, expected, stderr)
    }).pipe(Effect.scoped, Effect.provide(PostfixTable.layer(entries)), node)
  )

  it.live("asks our server for a table by its name", () =>
    Effect.gen(function* () {
      const server = yield* Server.make(tcp, SocketmapServer.protocol())
      const map = `socketmap:inet:127.0.0.1:${portOf(server.address)}`
      const { stderr, stdout } = yield* ask(`${map}:aliases`, keys)
      assert.strictEqual(stdout, expected, stderr)
      const other = yield* ask(`${map}:others`, keys)
      assert.notStrictEqual(other.code, 0)
      assert.include(other.stderr, "there is no table others")
    }).pipe(
      Effect.scoped,
      Effect.provide(SocketmapTables.layer({ aliases: PostfixTable.memory(entries) })),
      node
    )
  )
})

// It looks keys up as they are quoted.
const server = `
from twisted.internet import reactor
from twisted.protocols import postfix
factory = postfix.PostfixTCPMapDictServerFactory({b"alice@example.org": b"alice", b"with%20space": b"50% of\\tit"})
print("port", reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("its server answers our client", () =>
      Effect.gen(function* () {
        const child = yield* Child.spawn(python, ["-c", server])
        const [, port] = yield* child.says(/^port (\d+)$/m)
        const transport = yield* Client.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: Number(port) }))
        const client = PostfixClient.make(transport)
        for (const [key, value] of entries.slice(0, 2)) assert.strictEqual(yield* client.get(key), value)
        assert.isUndefined(yield* client.get("nobody"))
        // It takes none: "put is not implemented yet".
        const error = yield* Effect.flip(client.put("a", "b"))
        assert.strictEqual(error.reason._tag, "Rejected")
      }).pipe(Effect.scoped, node)
    )
  })
})
