/** memcached over UDP with others: memcached itself, the tools of libmemcached, Twisted. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheDatagramClient from "../../src/memcache/MemcacheDatagramClient.ts"
import * as MemcacheDatagramServer from "../../src/memcache/MemcacheDatagramServer.ts"
import * as Wire from "../../src/memcache/MemcacheDatagramWire.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, twisted, which } from "../support/peers.ts"
import { now } from "../protocol/serving.ts"
import { datagram, text } from "./datagrams.ts"
import { at, isNewer, memcached, running } from "./memcached.ts"
import { scripts } from "./scripts.ts"

const tool = (name: string): Peer => ({ name, debian: "libmemcached-tools", path: which(name) })
const live = <A, E>(effect: Effect.Effect<A, E, Reactor | Scope.Scope>) =>
  effect.pipe(
    Effect.scoped,
    Effect.provide(NodeReactor.layer),
    Effect.provideService(References.MinimumLogLevel, "Error")
  )

/** Our server, over TCP and UDP at the same port; a client over TCP, to look. */
const ours = Effect.gen(function* () {
  const engine = yield* MemcacheServer.engine().pipe(Effect.provide(MemcacheStore.layer()))
  const loopback = { interface: "127.0.0.1" }
  const server = yield* Server.make(
    Endpoint.tcp({ port: 0, ...loopback }),
    yield* MemcacheServer.over(engine)
  )
  const port = portOf(server.address)
  const reactor = yield* Reactor
  const udp = yield* reactor.datagram(MemcacheDatagramServer.buffered(Endpoint.udp({ port, ...loopback })))
  yield* Effect.forkScoped(MemcacheDatagramServer.serve(udp, engine), now)
  const cache = yield* MemcacheClient.connect([{ endpoint: at(port) }])
  const count = (name: string) => Effect.map(cache.servers[0]!.stats(), (stats) => Number(stats.get(name)))
  return { port, cache, count }
})

/** Until there are so many: what comes over UDP is on its way when its sender has ended. */
const until = <E, R>(count: Effect.Effect<number, E, R>, wanted: number) =>
  Effect.retry(
    Effect.filterOrFail(count, (found) => found >= wanted),
    { schedule: Schedule.spaced("20 millis"), times: 250 }
  )

describePeer(memcached, (command) => {
  it.live("our client over UDP, with memcached", () =>
    live(
      Effect.gen(function* () {
        const port = yield* running(command, { overUdp: true })
        const cache = yield* MemcacheDatagramClient.connect([{ host: "127.0.0.1", port }], {
          timeout: "10 seconds"
        })
        yield* cache.set("k", "one", { flags: 5 })
        const { cas, flags } = (yield* cache.gets("k"))!
        assert.strictEqual(flags, 5)
        assert.strictEqual(yield* cache.compareAndSet("k", "two", cas), "Stored")
        assert.strictEqual(yield* cache.compareAndSet("k", "three", cas), "Changed")
        assert.strictEqual(yield* cache.add("n", "5"), true)
        assert.strictEqual(yield* cache.increment("n", 3), 8n)
        // It answers each key in a message of its own, if it is asked for several at once.
        assert.strictEqual((yield* cache.getMany(["k", "none", "n"])).size, 2)
        const large = "v".repeat(60_000)
        yield* cache.set("large", large)
        assert.strictEqual(text((yield* cache.get("large"))!.value), large)
        assert.strictEqual((yield* cache.meta("mg", "k", ["v", "t"])).status, "VA")
        assert.strictEqual((yield* cache.servers[0]!.stats("settings")).get("udpport"), String(port))
        assert.strictEqual(yield* cache.delete("n"), true)
        assert.isUndefined(yield* cache.get("n"))
        yield* cache.servers[0]!.flushAll()
        assert.isUndefined(yield* cache.get("k"))
      })
    )
  )

  it.live("says in our conversations, each in a datagram, what our server says", () =>
    live(
      Effect.gen(function* () {
        const theirs = yield* running(command, { overUdp: true })
        const administration = (yield* MemcacheClient.connect([{ endpoint: at(theirs) }])).servers[0]!
        const isNew = isNewer(`VERSION ${yield* administration.version}`)
        const reactor = yield* Reactor
        const connect = { host: "127.0.0.1", port: theirs }
        const asker = yield* reactor.datagram(Endpoint.udp({ port: 0, interface: "127.0.0.1", connect }))
        let compared = 0
        for (const [i, { differs, hears, isLater, name, says }] of scripts.entries()) {
          // How newer ones complain is another matter; so is what ends a connection.
          if (isNew ? !isLater : differs !== undefined) continue
          if (/ERROR|HTTP/.test(hears + says) || hears === "") continue
          yield* administration.flushAll()
          yield* asker.send(datagram(says, i))
          // To several commands it sends a message for each, in order.
          let got = ""
          while (got.length < hears.length) {
            const batch = yield* Effect.timeout(asker.receive, "10 seconds")
            for (const { bytes } of batch) {
              const header = Wire.headerOf(bytes)!
              assert.strictEqual(header.requestId, i)
              got += text(Wire.payloadOf(bytes))
            }
          }
          assert.strictEqual(got, hears, name)
          compared++
        }
        assert.isAbove(compared, isNew ? 0 : 20)
      })
    )
  )

  it.live("says nothing to what is no whole request, as our server", () =>
    live(
      Effect.gen(function* () {
        const { port } = yield* ours
        const reactor = yield* Reactor
        for (const request of [
          datagram("get k", 1),
          datagram("get k\r\n", 1, 0, 2),
          datagram("set k 0 0 5\r\nab", 1)
        ]) {
          // memcached takes what comes next for the rest of it.
          for (const to of [yield* running(command, { overUdp: true }), port]) {
            const connect = { host: "127.0.0.1", port: to }
            const asker = yield* reactor.datagram(Endpoint.udp({ port: 0, interface: "127.0.0.1", connect }))
            yield* asker.send(request)
            assert.isTrue(Option.isNone(yield* Effect.timeoutOption(asker.receive, "200 millis")))
          }
        }
      })
    )
  )
})

describePeer(tool("memccp"), (copy) => {
  it.live("memccp --udp: files come to our server", () =>
    live(
      Effect.gen(function* () {
        const { cache, count, port } = yield* ours
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-memcache-"))),
          (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
        )
        const file = path.join(folder, "file")
        fs.writeFileSync(file, "line\r\nEND\r\n".repeat(100))
        const { code, stderr } = yield* Child.run(copy, ["--udp", `--servers=127.0.0.1:${port}`, file])
        assert.strictEqual(code, 0, stderr)
        yield* until(count("cmd_set"), 1)
        assert.strictEqual(text((yield* cache.get("file"))!.value), "line\r\nEND\r\n".repeat(100))
      })
    )
  )
})

describePeer(tool("memcslap"), (slap) => {
  it.live("memcslap --udp: forty sets at once, none lost", () =>
    live(
      Effect.gen(function* () {
        const { count, port } = yield* ours
        const { code, stderr } = yield* Child.run(slap, [
          "--udp",
          `--servers=127.0.0.1:${port}`,
          "--concurrency=1",
          "--execute-number=40"
        ])
        assert.strictEqual(code, 0, stderr)
        yield* until(count("cmd_set"), 40)
        assert.strictEqual(yield* count("udp_ignored"), 0)
      })
    )
  )
})

describePeer(tool("memcaslap"), (load) => {
  it.live("memcaslap --udp: gets and sets, each answered; its keys have control characters", () =>
    live(
      Effect.gen(function* () {
        const { count, port } = yield* ours
        const { stderr, stdout } = yield* Child.run(load, [
          "-U",
          "-s",
          `127.0.0.1:${port}`,
          "-x",
          "2000",
          "-c",
          "4",
          "-T",
          "1",
          "-w",
          "1k"
        ])
        const said = stdout + stderr
        assert.notMatch(said, /CLIENT_ERROR/)
        const told = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(said)?.[1])
        assert.isAtLeast(told("cmd_get") + told("cmd_set"), 2_000, said)
        assert.deepStrictEqual(
          [told("get_misses"), told("packet_drop"), told("udp_timeout")],
          [0, 0, 0],
          said
        )
        assert.isAtLeast(yield* count("cmd_get"), told("cmd_get"))
      })
    )
  )
})

const client = `
import struct, sys
from twisted.internet import reactor, protocol

requests = [b"set k 0 0 3000\\r\\n" + b"v" * 3000 + b"\\r\\n", b"get k\\r\\n", b"incr none 1\\r\\n", b"get k"]

class Client(protocol.DatagramProtocol):
    def startProtocol(self):
        self.transport.connect("127.0.0.1", int(sys.argv[1]))
        self.parts = {}
        for i, request in enumerate(requests):
            self.transport.write(struct.pack("!4H", 600 + i, 0, 1, 0) + request)

    def datagramReceived(self, datagram, address):
        request, part, parts, reserved = struct.unpack("!4H", datagram[:8])
        self.parts.setdefault(request, {})[part] = datagram[8:]
        if sum(len(heard) for heard in self.parts.values()) == 5:
            for request, heard in sorted(self.parts.items()):
                text = b"".join(heard[i] for i in range(len(heard)))
                print(request, len(heard), reserved, len(text), text[:18])
            reactor.stop()

reactor.listenUDP(0, Client(), interface="127.0.0.1")
reactor.callLater(10, reactor.stop)
reactor.run()
`

describe("Twisted", () => {
  describePeer(twisted(), (python) => {
    it.live("a DatagramProtocol asks our server", () =>
      live(
        Effect.gen(function* () {
          const { count, port } = yield* ours
          const { stderr, stdout } = yield* Child.run(python, ["-c", client, String(port)])
          assert.deepStrictEqual(
            stdout.trimEnd().split("\n"),
            [
              "600 1 0 8 b'STORED\\r\\n'",
              "601 3 0 3023 b'VALUE k 0 3000\\r\\nvv'",
              "602 1 0 11 b'NOT_FOUND\\r\\n'"
            ],
            stderr
          )
          assert.strictEqual(yield* count("udp_ignored"), 1)
        })
      )
    )
  })
})
