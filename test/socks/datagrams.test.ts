/** UDP ASSOCIATE over real sockets, IPv4 and, where there is one, IPv6. */
import * as os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Socks5Wire from "../../src/socks/Socks5Wire.ts"
import * as SocksClient from "../../src/socks/SocksClient.ts"
import * as SocksDatagram from "../../src/socks/SocksDatagram.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { portOf } from "../memory/pair.ts"

const hasIpv6 = Object.values(os.networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)

describe("datagrams", () => {
  for (const host of ["127.0.0.1", "::1"]) {
    it.live.skipIf(host === "::1" && !hasIpv6)(`there and back, by ${host}`, () =>
      Effect.gen(function* () {
        const reactor = yield* Reactor
        const listen = host === "::1" ? Endpoint.tcp6 : Endpoint.tcp
        const server = yield* Server.make(listen({ port: 0, interface: host }), SocksServer.protocol()).pipe(
          Effect.provideService(
            SocksRules.SocksRules,
            SocksRules.make({ commands: ["connect", "associate"], allow: ["127.0.0.1", "::1"] })
          ),
          Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
        )
        const echo = yield* reactor.datagram(Endpoint.udp({ interface: host }))
        yield* Effect.forkScoped(
          echo.receiveEach((batch) =>
            Effect.forEach(batch, ({ bytes, peer }) => echo.send(bytes, peer), { discard: true })
          ),
          { startImmediately: true }
        )
        const proxy = Endpoint.tcpClient({ host, port: portOf(server.address) })
        const control = yield* Client.connect(proxy)
        const relay = yield* SocksClient.associate(control)
        const port = yield* reactor.datagram(Endpoint.udp({ interface: host }))
        const data = new Uint8Array(1_000).fill(7)
        const sent = {
          host: NetAddress.ipFromStringUnsafe(host),
          port: portOf(echo.local),
          fragment: 0,
          data
        }
        assert.notTypeOf(relay.host, "string")
        const to = NetAddress.inetAddressUnsafe(relay.host as NetAddress.IpAddress, relay.port)
        yield* port.send(Result.getOrThrow(Socks5Wire.formatDatagram(sent)), to)
        const [answer] = yield* Effect.timeout(port.receive, "10 seconds")
        assert.deepStrictEqual(
          Result.getOrThrow(Socks5Wire.parseDatagram(Uint8Array.from(answer!.bytes))),
          sent
        )
        const through = yield* SocksDatagram.open(
          { proxy },
          Endpoint.udp({ interface: host === "::1" ? "::" : "0.0.0.0" })
        )
        yield* through.send("hello", echo.local)
        const [first] = yield* Effect.timeout(through.receive, "10 seconds")
        assert.deepStrictEqual([new TextDecoder().decode(first!.bytes), first!.peer], ["hello", echo.local])
        // Twice through the same.
        const behind = SocksEndpoint.through({ proxy })(proxy)
        const twice = yield* SocksDatagram.open(
          { proxy: behind },
          Endpoint.udp({ interface: host === "::1" ? "::" : "0.0.0.0" })
        ).pipe(Effect.provide(SocksDatagram.layer({ proxy })))
        yield* twice.send("far", echo.local)
        const [far] = yield* Effect.timeout(twice.receive, "10 seconds")
        assert.deepStrictEqual([new TextDecoder().decode(far!.bytes), far!.peer], ["far", echo.local])
        // The name may have an address of the other family first.
        if (host === "::1") return
        yield* through.sendTo("by name", { host: "localhost", port: portOf(echo.local) })
        const [second] = yield* Effect.timeout(through.receive, "10 seconds")
        assert.strictEqual(new TextDecoder().decode(second!.bytes), "by name")
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
    )
  }
})
