import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as DatagramService from "../../src/app/DatagramService.ts"
import type { Datagram } from "../../src/reactor/Datagram.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { world } from "../memory/pair.ts"
import { observed } from "../protocol/serving.ts"
import { run } from "./running.ts"

const local = (port: number) => Endpoint.udp({ interface: "127.0.0.1", port })
const texts = (port: Datagram) =>
  Effect.map(port.receive, (batch) => batch.map(({ bytes }) => new TextDecoder().decode(bytes)))

describe("DatagramService", () => {
  it.effect("serves all of its ports, also after a restart; what came meanwhile waits", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      let open = true
      const service = DatagramService.make({
        endpoint: [local(7), local(8)],
        serve: (port) =>
          open
            ? port.receiveEach((batch) =>
                Effect.forEach(batch, ({ bytes, peer }) => port.send(bytes, peer), { discard: true })
              )
            : Effect.never
      })
      assert.strictEqual(service.name, "udp:7:interface=127.0.0.1")
      const running = yield* Effect.provideService(run(service), Reactor, reactor)
      const client = yield* reactor.datagram(local(0))
      const ports = (yield* network.statistics).datagramPorts
      const peer = (port: number) => NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", port)
      for (const port of [7, 8]) {
        yield* client.send(`to ${port}`, peer(port))
        assert.deepStrictEqual(yield* texts(client), [`to ${port}`])
      }
      open = false
      yield* running.restart
      yield* client.send("meanwhile", peer(7))
      yield* network.settled
      open = true
      yield* running.restart
      assert.deepStrictEqual(yield* texts(client), ["meanwhile"])
      assert.strictEqual((yield* network.statistics).datagramPorts, ports)
      yield* running.stop
      assert.strictEqual((yield* network.statistics).datagramPorts, 1)
    })
  )

  it.effect("says where it listens, also after a restart", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { reactor } = yield* world()
        const service = DatagramService.make({ name: "dns", endpoint: local(53), serve: () => Effect.never })
        const running = yield* Effect.provideService(run(service), Reactor, reactor)
        yield* running.restart
        const said = logs.filter(({ text }) => text === "dns listening")
        assert.deepStrictEqual(
          said.map(({ annotations }) => annotations["address"]),
          ["127.0.0.1:53", "127.0.0.1:53"]
        )
      })
    )
  )

  it.effect("the failure of one is the service's", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const running = yield* Effect.provideService(
        run(DatagramService.make({ endpoint: local(7), serve: () => Effect.fail("broken") })),
        Reactor,
        reactor
      )
      assert.strictEqual(yield* Effect.flip(running.ended), "broken")
    })
  )
})
