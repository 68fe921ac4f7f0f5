/** Clients that break off, over real sockets: at each byte of a conversation, and while a target is waited for. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
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

const host = "127.0.0.1"
const tcp = Endpoint.tcp({ port: 0, interface: host })

it.live("who resets at any byte harms nobody, and leaves nothing", () =>
  Effect.gen(function* () {
    const echo = yield* Server.make(tcp, (transport: Transport) => transport.receiveEach(transport.send))
    const target = portOf(echo.address)
    const rules = SocksRules.make({
      allow: ["127.0.0.0/8"],
      commands: ["connect", "bind", "associate"]
    })
    const server = yield* Server.make(tcp, SocksServer.protocol()).pipe(
      Effect.provideService(SocksRules.SocksRules, rules),
      Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
    )
    const proxy = Endpoint.tcpClient({ host, port: portOf(server.address) })
    const place = [1, 127, 0, 0, 1, target >> 8, target & 255]
    const conversations = [1, 2, 3].map((command) => [5, 1, 0, 5, command, 0, ...place, 104, 105])
    conversations.push([4, 1, target >> 8, target & 255, 0, 0, 0, 1, 0, ...Buffer.from("localhost\0hi")])
    let broken = 0
    for (const bytes of conversations) {
      for (let size = 0; size <= bytes.length; size++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Client.connect(proxy)
            yield* client.send(Uint8Array.from(bytes.slice(0, size)))
            // Sometimes after an answer, sometimes before it.
            if (size > 2 && size % 2 === 0) yield* Effect.timeoutOption(client.receive, 20)
            yield* client.abort
            broken++
          }).pipe(Effect.ignore)
        )
      }
    }
    assert.isAbove(broken, 60)
    const through = SocksEndpoint.through({ proxy })(Endpoint.tcpClient({ host, port: target }))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const client = yield* Client.connect(through)
        yield* client.send("still here")
        assert.strictEqual(yield* read(client), "still here")
      })
    )
    const open = Effect.sync(() => server.counts.value.open + echo.counts.value.open)
    yield* Effect.repeat(open, { until: (count) => count === 0, schedule: Schedule.spaced(20) }).pipe(
      Effect.timeout("10 seconds")
    )
    assert.deepStrictEqual([server.counts.value.failed, echo.counts.value.failed], [0, 0])
  }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
)
