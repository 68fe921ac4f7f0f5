/** memcached, the tools of libmemcached, and Twisted's client. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { portOf, read, readAll } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, twisted, which } from "../support/peers.ts"
import { at, isNewer, memcached, running } from "./memcached.ts"
import { scripts } from "./scripts.ts"

const program = (name: string, debian: string): Peer => ({ name, debian, path: which(name) })
const existing = (file: string) => (fs.existsSync(file) ? file : undefined)
const node = Effect.provide(NodeReactor.layer)
const quiet = Effect.provideService(References.MinimumLogLevel, "Error")
const ownFolder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-memcache-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

const ours = Effect.gen(function* () {
  const protocol = yield* MemcacheServer.make()
  const server = yield* Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), protocol)
  return portOf(server.address)
}).pipe(Effect.provide(MemcacheStore.layer()))

/** Whether it has what came after 1.6.18. */
const isNewAt = (port: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Client.connect(at(port))
      yield* client.send("version\r\nquit\r\n")
      return isNewer(yield* readAll(client))
    })
  )

describePeer(memcached, (command) => {
  it.live("says in our conversations what our server says", () =>
    Effect.gen(function* () {
      const port = yield* running(command)
      const isNew = yield* isNewAt(port)
      for (const { differs, hears, isLater, name, says } of scripts) {
        // How newer ones complain is another matter.
        if (isNew ? !isLater : differs !== undefined) continue
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Client.connect(at(port))
            yield* client.send("flush_all\r\nquit\r\n")
            yield* readAll(client)
          })
        )
        const got = yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Client.connect(at(port))
            yield* client.send(Buffer.from(says, "latin1"))
            // It drops what it has read so far when the input ends: `quit` is answered by the end.
            yield* client.send(says.includes("HTTP") ? "" : "quit\r\n")
            return yield* readAll(client)
          })
        )
        assert.strictEqual(got, hears, name)
      }
    }).pipe(Effect.scoped, node, quiet)
  )

  it.live("and our client", () =>
    Effect.gen(function* () {
      const cache = yield* MemcacheClient.connect([
        { endpoint: at(yield* running(command)) },
        { endpoint: at(yield* running(command)) }
      ])
      const keys = Array.from({ length: 500 }, (_, i) => `key${i}`)
      yield* Effect.forEach(keys, (key) => cache.set(key, `value of ${key}`, { expiry: "1 hour" }), {
        concurrency: "unbounded"
      })
      assert.strictEqual((yield* cache.getMany(keys)).size, 500)
      const { cas, value } = (yield* cache.gets("key1"))!
      assert.strictEqual(Buffer.from(value).toString(), "value of key1")
      assert.strictEqual(yield* cache.compareAndSet("key1", "new", cas), "Stored")
      assert.strictEqual(yield* cache.compareAndSet("key1", "newer", cas), "Changed")
      assert.strictEqual(yield* cache.add("n", "18446744073709551615"), true)
      assert.strictEqual(yield* cache.increment("n", 2), 1n)
      assert.strictEqual(yield* cache.append("key1", "!"), true)
      assert.strictEqual(
        Buffer.from((yield* cache.getAndTouch("key1", "1 minute"))!.value).toString(),
        "new!"
      )
      assert.strictEqual((yield* cache.meta("mg", "key1", ["v", "t"])).status, "VA")
      const large = new Uint8Array(900_000).fill(7)
      yield* cache.set("large", large)
      assert.strictEqual((yield* cache.get("large"))!.value.length, large.length)
      assert.strictEqual(
        (yield* Effect.flip(cache.set("larger", new Uint8Array(2_000_000)))).reason._tag,
        "ServerError"
      )
      const items = yield* Effect.forEach(cache.servers, ({ stats }) =>
        Effect.map(stats(), (found) => Number(found.get("curr_items")))
      )
      assert.isTrue(
        items.every((count) => count > 100),
        String(items)
      )
      yield* Effect.forEach(cache.servers, ({ flushAll }) => flushAll())
      assert.isUndefined(yield* cache.get("key2"))
    }).pipe(Effect.scoped, node, quiet)
  )
})

describePeer(memcached, (command) => {
  it.live("and our client, that has to say who it is", () =>
    Effect.gen(function* () {
      const folder = yield* ownFolder
      const file = path.join(folder, "users")
      // It is `nobody` when it reads it.
      fs.chmodSync(folder, 0o755)
      fs.writeFileSync(file, "ali:sesame\n")
      const port = yield* running(command, { args: ["-Y", file] })
      const connect = (password: string) =>
        Effect.flatMap(Client.connect(at(port)), (transport) =>
          MemcacheClient.make(transport, { login: { user: "ali", password: Redacted.make(password) } })
        )
      const cache = yield* connect("sesame")
      yield* cache.set("k", "v")
      assert.strictEqual((yield* cache.get("k"))?.value.length, 1)
      const refused = yield* Effect.flip((yield* connect("simsim")).get("k"))
      assert.strictEqual(refused.reason._tag, "LoginRefused")
      const stranger = yield* MemcacheClient.make(yield* Client.connect(at(port)))
      assert.strictEqual((yield* Effect.flip(stranger.get("k"))).reason._tag, "ClientError")
    }).pipe(Effect.scoped, node, quiet)
  )
})

describePeer(program("memccapable", "libmemcached-tools"), (command) => {
  it.live("finds our server capable, in the text protocol", () =>
    Effect.gen(function* () {
      const port = yield* ours
      const { stderr, stdout } = yield* Child.run(command, [
        "-h",
        "127.0.0.1",
        "-p",
        String(port),
        "-a",
        "-t",
        "5"
      ])
      const failed = (stdout + stderr).split("\n").filter((line) => /\[FAIL\]|failed/i.test(line))
      assert.deepStrictEqual(failed, [], stdout + stderr)
      assert.match(stdout + stderr, /ascii set +\[pass\]/i)
    }).pipe(Effect.scoped, node, quiet)
  )
})

describePeer(program("memccp", "libmemcached-tools"), (copy) => {
  it.live("files go to our server, and come back", () =>
    Effect.gen(function* () {
      const servers = `--servers=127.0.0.1:${yield* ours}`
      const folder = yield* ownFolder
      const file = path.join(folder, "file")
      const content = "line\r\nEND\r\n".repeat(5_000)
      fs.writeFileSync(file, content)
      const run = (name: string, ...args: ReadonlyArray<string>) =>
        Effect.map(
          Child.run(path.join(path.dirname(copy), name), [servers, ...args]),
          ({ code, stderr, stdout }) => {
            assert.strictEqual(code, 0, name + stdout + stderr)
            return stdout
          }
        )
      yield* run("memcping")
      yield* run("memccp", file)
      yield* run("memccat", `--file=${file}.back`, "file")
      assert.strictEqual(fs.readFileSync(`${file}.back`, "utf8"), content)
      assert.match(yield* run("memcstat"), /curr_items: 1\n/)
      yield* run("memctouch", "--expire=100", "file")
      yield* run("memcrm", "file")
      yield* run("memcflush")
    }).pipe(Effect.scoped, node, quiet)
  )
})

describePeer(
  {
    name: "memcached-tool",
    debian: "memcached",
    path: existing("/usr/share/memcached/scripts/memcached-tool")
  },
  (tool) => {
    it.live("lists our server's items, and takes them over", () =>
      Effect.gen(function* () {
        const port = yield* ours
        const cache = yield* MemcacheClient.connect([{ endpoint: at(port) }])
        yield* cache.set("plain", "1", { flags: 5 })
        yield* cache.set("ü/%", "2")
        const run = (mode: string) =>
          Effect.map(Child.run(tool, [`127.0.0.1:${port}`, mode]), ({ stdout }) => stdout)
        assert.match(yield* run("keys"), /^key=plain exp=-1 la=\d+ .*\nkey=%C3%BC%2F%25 exp=-1 /m)
        assert.strictEqual(
          (yield* run("dump"))
            .match(/^add [^\n]*\n[^\n]*\n/gm)!
            .sort()
            .join(""),
          "add plain 5 0 1\r\n1\r\nadd ü/% 0 0 1\r\n2\r\n"
        )
        assert.match(yield* run("stats"), /curr_items +2\s/)
        assert.match(yield* run("settings"), /udpport +0\s/)
      }).pipe(Effect.scoped, node, quiet)
    )
  }
)

describePeer(program("memcdump", "libmemcached-tools"), (command) => {
  it.live("lists the keys of our server", () =>
    Effect.gen(function* () {
      const port = yield* ours
      const cache = yield* MemcacheClient.connect([{ endpoint: at(port) }])
      yield* Effect.forEach(["a", "b", "c"], (key) => cache.set(key, key))
      const { stdout } = yield* Child.run(command, [`--servers=127.0.0.1:${port}`])
      assert.deepStrictEqual(stdout.trimEnd().split("\n"), ["a", "b", "c"])
    }).pipe(Effect.scoped, node, quiet)
  )
})

describePeer(memcached, (command) => {
  it.live("lists its items as our server does, but for sizes and times", () =>
    Effect.gen(function* () {
      const listed = Effect.fnUntraced(function* (port: number) {
        const filling = yield* Client.connect(at(port))
        yield* filling.send("set a 5 0 1\r\nx\r\nget a\r\nset \u00fc%/~.-_*! 0 0 1\r\nx\r\n")
        yield* filling.send("ms AAEgCg== 2 b\r\nhi\r\nquit\r\n")
        yield* readAll(filling)
        // Of other commands around it memcached's list is not sure.
        const client = yield* Client.connect(at(port))
        yield* client.send("lru_crawler metadump hash\r\n")
        let said = ""
        while (!said.endsWith("END\r\n")) said += yield* read(client)
        yield* client.send("lru_crawler metadump 99\r\nquit\r\n")
        said += yield* readAll(client)
        const lines = said.match(/^key=.*\n/gm)!.map((line) => line.replace(/la=\d+|cls=.*/g, ""))
        return [...lines.sort(), ...said.split("\n").filter((line) => /^(END|BADCLASS)/.test(line))]
      })
      const theirs = yield* listed(yield* running(command))
      assert.strictEqual(theirs.length, 5)
      assert.deepStrictEqual(yield* listed(yield* ours), theirs)
    }).pipe(Effect.scoped, node, quiet)
  )
})

const client = `
import sys
from twisted.internet import reactor, protocol, defer
from twisted.protocols.memcache import MemCacheProtocol

@defer.inlineCallbacks
def talk(cache):
    print("set", (yield cache.set(b"k", b"one", flags=5)))
    print("get", (yield cache.get(b"k")))
    print("add", (yield cache.add(b"k", b"x")), (yield cache.add(b"n", b"5")))
    print("replace", (yield cache.replace(b"none", b"x")))
    print("append", (yield cache.append(b"k", b"!")), (yield cache.prepend(b"k", b"<")))
    flags, cas, value = yield cache.get(b"k", withIdentifier=True)
    print("gets", flags, value)
    print("cas", (yield cache.checkAndSet(b"k", b"two", cas)), (yield cache.checkAndSet(b"k", b"three", cas)))
    print("incr", (yield cache.increment(b"n", 3)), (yield cache.decrement(b"n")))
    print("many", sorted((yield cache.getMultiple([b"k", b"n", b"none"])).items()))
    print("delete", (yield cache.delete(b"n")), (yield cache.delete(b"n")))
    print("version", (yield cache.version()))
    print("stats", b"uptime" in (yield cache.stats()))
    print("flush", (yield cache.flushAll()))
    print("get", (yield cache.get(b"k")))

creator = protocol.ClientCreator(reactor, MemCacheProtocol)
d = creator.connectTCP("127.0.0.1", int(sys.argv[1])).addCallback(talk)
d.addErrback(lambda failure: failure.printTraceback())
d.addBoth(lambda _: reactor.stop())
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("its client, every command", () =>
      Effect.gen(function* () {
        const { stderr, stdout } = yield* Child.run(python, ["-c", client, String(yield* ours)])
        assert.deepStrictEqual(
          stdout.trimEnd().split("\n"),
          [
            "set True",
            "get (5, b'one')",
            "add False True",
            "replace False",
            "append True True",
            "gets 5 b'<one!'",
            "cas True False",
            "incr 8 7",
            "many [(b'k', (0, b'two')), (b'n', (0, b'7')), (b'none', (0, None))]",
            "delete True False",
            "version b'1.6.0-spindle'",
            "stats True",
            "flush True",
            "get (0, None)"
          ],
          stderr
        )
      }).pipe(Effect.scoped, node, quiet)
    )
  })
})
