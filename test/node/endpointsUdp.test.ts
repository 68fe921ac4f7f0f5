/** Descriptions of datagram ports, from text to datagrams. */
import { execFileSync } from "node:child_process"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import type { Datagram } from "../../src/reactor/Datagram.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { until } from "../../src/testing/suite/check.ts"
import { inetOf } from "../support/endpoints.ts"
import { multicastV4 } from "../support/multicast.ts"
import { which } from "../support/peers.ts"
import { live, outcome } from "./endpoints.ts"

const open = (text: string) =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    return yield* reactor.datagram(yield* EndpointDescription.parseUdp(text))
  })

const local = "interface=127.0.0.1"
const portOf = ({ local }: Datagram) => inetOf(local).port

/** The next datagrams, as text. */
const texts = (port: Datagram) =>
  Effect.map(
    Pull.catchDone(port.receive, () => Effect.die("a port has no end of input")),
    (batch) => batch.map(({ bytes }) => String(Buffer.from(bytes)))
  )

describe("udp", () => {
  live(
    "a port, and one that has a peer",
    Effect.gen(function* () {
      const server = yield* open(`udp:0:${local}`)
      const free = portOf(yield* open("udp:0:interface=127.0.0.3"))
      const client = yield* open(`udp:127.0.0.1:${portOf(server)}:bindPort=${free}:interface=127.0.0.2`)
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), `127.0.0.2:${free}`)
      yield* client.send("ping")
      assert.deepStrictEqual(yield* texts(server), ["ping"])
      yield* server.send("pong", client.local)
      assert.deepStrictEqual(yield* texts(client), ["pong"])
      // Only its peer is heard, and a refusal is told.
      const nobody = yield* open(`udp:host=127.0.0.1:port=${free}`)
      yield* nobody.send("anybody?")
      assert.strictEqual(yield* outcome(Pull.catchDone(nobody.receive, () => Effect.void)), "Refused")
      const six = yield* open("udp:0:interface=[::1]")
      const client6 = yield* open(`udp:[::1]:${portOf(six)}`)
      yield* client6.send("six")
      assert.deepStrictEqual(yield* texts(six), ["six"])
    })
  )

  live(
    "a port that is shared, and one that is not",
    Effect.gen(function* () {
      const alone = yield* open(`udp:0:${local}`)
      assert.strictEqual(yield* outcome(open(`udp:${portOf(alone)}:${local}`)), "AddressInUse")
      for (const argument of ["reuseAddress", "reusePort"]) {
        const first = yield* open(`udp:0:${local}:${argument}=yes`)
        const second = yield* open(`udp:${portOf(first)}:${local}:${argument}=yes`)
        assert.strictEqual(portOf(second), portOf(first))
      }
    })
  )

  live(
    "limits: of a datagram, of those that wait",
    Effect.gen(function* () {
      const server = yield* open(`udp:0:${local}:datagramBytesMax=5:receiveMax=2`)
      const client = yield* open(`udp:127.0.0.1:${portOf(server)}`)
      for (const text of ["12345", "b", "c", "d"]) yield* client.send(text)
      yield* until(() => Effect.runSync(server.dropped) === 2, "two are dropped")
      assert.deepStrictEqual(yield* texts(server), ["12345", "b"])
      yield* client.send("123456")
      assert.strictEqual(yield* outcome(Pull.catchDone(server.receive, () => Effect.void)), "Oversized")
      assert.strictEqual(yield* outcome(server.send("123456", client.local)), "MessageTooLong")
    })
  )

  live(
    "broadcasts have to be asked for",
    Effect.gen(function* () {
      const everybody = NetAddress.inetAddressFromStringUnsafe("255.255.255.255:9")
      assert.strictEqual(yield* outcome((yield* open("udp:0")).send("x", everybody)), "AccessDenied")
      const allowed = yield* outcome((yield* open("udp:0:broadcast=yes")).send("x", everybody))
      assert.notStrictEqual(allowed, "AccessDenied")
    })
  )

  const by = multicastV4.real ?? multicastV4.loopback
  live.when(
    by !== undefined,
    "groups, by an interface, for a number of hops, with or without ourselves",
    Effect.gen(function* () {
      const { groups, interface: on } = by!
      const [one, other] = groups
      const group = (port: Datagram) => NetAddress.inetAddressFromStringUnsafe(`${one}:${portOf(port)}`)
      const member = yield* open(`udp:0:groups=${one},${other}:multicastInterface=${on}:reuseAddress=yes`)
      const sender = yield* open(`udp:0:multicastInterface=${on}:multicastTtl=0:multicastLoopback=yes`)
      yield* sender.send("to all", group(member))
      assert.deepStrictEqual(yield* texts(member), ["to all"])
      const silent = yield* open(`udp:0:multicastInterface=${on}:multicastTtl=0:multicastLoopback=no`)
      // What leaves by a loopback interface comes back by it, too.
      if (!by!.loopback) yield* silent.send("to others", group(member))
      yield* sender.send("again", group(member))
      assert.deepStrictEqual(yield* texts(member), ["again"])
    })
  )

  const ss = which("ss")
  live.when(
    ss !== undefined,
    "the system's buffers",
    Effect.gen(function* () {
      const port = yield* open(`udp:0:${local}:receiveBufferBytes=8192:sendBufferBytes=16384`)
      const told = execFileSync(ss!, ["-uamn", "sport", "=", `:${portOf(port)}`]).toString()
      // Linux doubles them (socket(7)).
      assert.match(told, /rb16384,.*tb32768,/)
    })
  )
})
