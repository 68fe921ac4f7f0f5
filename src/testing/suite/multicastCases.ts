import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import { equal, listenFails, that } from "./check.ts"
import {
  datagramFails,
  hears,
  multicastCase,
  type MulticastSubject,
  numbered,
  type Ports,
  portOf
} from "./DatagramCase.ts"

const anywhere = ({ family }: Ports): string => (family === "IPv4" ? "0.0.0.0" : "::")

/** Opens a port that may join groups: it is not bound to one address. */
const member = (ports: Ports, options: Parameters<Ports["open"]>[0] = {}) =>
  ports.open({ interface: anywhere(ports), ...options })

/** A port that sends by the interface. */
const sender = (ports: Ports, { interface: by }: MulticastSubject, loopback?: boolean) =>
  member(ports, { multicast: { interface: by, loopback, ttl: 0 } })

/** Groups: joining, leaving, and who hears what. */
export const multicastCases = [
  multicastCase(
    "a member hears what is sent to its group, in order, and by whom",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const [group] = multicast.groups
      const [a, b] = [yield* sender(ports, multicast), yield* member(ports)]
      yield* b.multicast.join(group, multicast.interface)
      yield* a.sendAll(numbered(5, ports.at(portOf(b), group)))
      const [first] = yield* hears(b, "0 1 2 3 4", "what the member heard")
      that(NetAddress.isInetAddress(first!.peer), "the sender has no address")
      equal(first!.peer.port, portOf(a), "the sender's port")
      yield* b.send("answer", first!.peer)
      yield* hears(a, "answer", "what the sender heard")
    })
  ),

  multicastCase(
    "several members share a port by reuseAddress, and each hears all; a sender may be a member",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const groups = [{ group: multicast.groups[0], interface: multicast.interface }]
      const options = { reuseAddress: true, multicast: { groups, interface: multicast.interface, ttl: 0 } }
      const first = yield* member(ports, options)
      const members = [first]
      for (let i = 0; i < 3; i++) members.push(yield* member(ports, { ...options, port: portOf(first) }))
      const to = ports.at(portOf(first), multicast.groups[0])
      yield* first.sendAll(numbered(3, to))
      for (const each of members) yield* hears(each, "0 1 2", "what a member heard")
      yield* members[2]!.send("again", to)
      for (const each of members) yield* hears(each, "again", "what a member heard of another member")
    })
  ),

  multicastCase(
    "who has left hears no more; joining twice is harmless, leaving once is enough",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const {
        groups: [group, other],
        interface: on
      } = multicast
      const [a, b] = [yield* sender(ports, multicast), yield* member(ports)]
      yield* b.multicast.join(group, on)
      yield* b.multicast.join(group, on)
      yield* b.multicast.join(other, on)
      yield* a.send("both", ports.at(portOf(b), group))
      yield* hears(b, "both", "what the member heard")
      yield* b.multicast.leave(group, on)
      yield* a.send("left", ports.at(portOf(b), group))
      yield* a.send("other", ports.at(portOf(b), other))
      yield* hears(b, "other", "what was heard after leaving")
      const error = yield* datagramFails(
        b.multicast.leave(group, on),
        "configure",
        "MulticastJoinFailed",
        "leaving twice"
      )
      equal(error.reason.errno, "EADDRNOTAVAIL", "the errno")
      yield* b.multicast.join(group, on)
      yield* a.send("back", ports.at(portOf(b), group))
      yield* hears(b, "back", "what was heard after joining again")
    })
  ),

  multicastCase(
    "what can be no group, no interface or no TTL is InvalidAddress",
    Effect.fnUntraced(function* (ports: Ports, { groups: [group], interface: on }: MulticastSubject) {
      const { join, leave, setInterface, setTtl } = (yield* member(ports)).multicast
      const isV4 = ports.family === "IPv4"
      const wrong: ReadonlyArray<readonly [string, Effect.Effect<void, unknown>]> = [
        ["joining an address that is no group", join(isV4 ? "10.0.0.1" : "fd00::1", on)],
        ["leaving an address that is no group", leave(ports.interface, on)],
        ["joining a name", join("all.example", on)],
        ["joining nothing", join("", on)],
        ["joining a group of the other family", join(isV4 ? "ff02::1234" : "239.255.1.2", undefined)],
        ["joining on an interface of the other family", join(group, isV4 ? "::1" : "127.0.0.1")],
        ["joining on a name", join(group, "eth0")],
        ["an interface of the other family", setInterface(isV4 ? "::1" : "127.0.0.1")],
        ["an interface that is no address", setInterface("somewhere")],
        ["a TTL below 0", setTtl(-1)],
        ["a TTL above 255", setTtl(256)],
        ["a TTL that is not whole", setTtl(1.5)],
        ["a TTL that is no number", setTtl(Number.NaN)]
      ]
      for (const [what, effect] of wrong) {
        yield* datagramFails(effect, "configure", "InvalidAddress", what)
      }
      for (const hops of [0, 1, 255]) yield* setTtl(hops)
    })
  ),

  multicastCase(
    "an interface that is not there is told, with its errno",
    Effect.fnUntraced(function* (ports: Ports, { groups: [group] }: MulticastSubject) {
      const port = yield* member(ports)
      // For documentation: nobody has them (RFC 5737, RFC 3849).
      for (const nowhere of ports.family === "IPv4" ? ["192.0.2.77"] : ["2001:db8::77", "::%nowhere"]) {
        const error = yield* datagramFails(
          port.multicast.join(group, nowhere),
          "configure",
          "MulticastJoinFailed",
          `joining on ${nowhere}`
        )
        equal(error.reason.errno, "ENODEV", "the errno")
        yield* datagramFails(
          port.multicast.leave(group, nowhere),
          "configure",
          "MulticastJoinFailed",
          `leaving on ${nowhere}`
        )
        yield* datagramFails(
          port.multicast.setInterface(nowhere),
          "configure",
          "InvalidAddress",
          `sending by ${nowhere}`
        )
      }
    })
  ),

  multicastCase(
    "an endpoint's options are in force when the port is there, or there is none",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const [group] = multicast.groups
      const groups = [{ group, interface: multicast.interface }]
      const port = yield* member(ports, { multicast: { groups, interface: multicast.interface, ttl: 0 } })
      yield* port.send("hello", ports.at(portOf(port), group))
      yield* hears(port, "hello", "what the member heard")
      yield* port.multicast.leave(group, multicast.interface)
      const number = portOf(yield* Effect.scoped(member(ports)))
      const nowhere = ports.family === "IPv4" ? "192.0.2.77" : "2001:db8::77"
      const refused: ReadonlyArray<readonly [string, Endpoint.MulticastOptions, string]> = [
        ["a group that is none", { groups: [{ group: ports.interface }] }, "InvalidAddress"],
        ["a TTL that is none", { ttl: 1_000 }, "InvalidAddress"],
        ["an interface that is not there", { interface: nowhere }, "InvalidAddress"],
        ["a group there", { groups: [...groups, { group, interface: nowhere }] }, "MulticastJoinFailed"]
      ]
      for (const [what, options, tag] of refused) {
        yield* listenFails(member(ports, { port: number, multicast: options }), tag, what)
      }
      // Nothing of them is left.
      yield* member(ports, { port: number })
    })
  ),

  multicastCase(
    "without loopback members on this machine hear nothing",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const [group] = multicast.groups
      const [a, b] = [yield* sender(ports, multicast, false), yield* member(ports)]
      yield* b.multicast.join(group, multicast.interface)
      yield* a.send("quiet", ports.at(portOf(b), group))
      yield* a.multicast.setLoopback(true)
      yield* a.send("loud", ports.at(portOf(b), group))
      yield* hears(b, "loud", "what the member heard")
      yield* a.multicast.setLoopback(false)
      yield* a.send("quiet", ports.at(portOf(b), group))
      yield* a.send("direct", ports.at(portOf(b)))
      yield* hears(b, "direct", "what the member heard then")
    }),
    "loopback"
  ),

  multicastCase(
    "who is in no group, or in another one, hears nothing of it",
    Effect.fnUntraced(function* (ports: Ports, multicast: MulticastSubject) {
      const {
        groups: [group, other],
        interface: on
      } = multicast
      const a = yield* sender(ports, multicast)
      const inIt = yield* member(ports, { reuseAddress: true })
      const options = { reuseAddress: true, port: portOf(inIt) }
      const [inNone, inOther] = [yield* member(ports, options), yield* member(ports, options)]
      yield* inIt.multicast.join(group, on)
      yield* inOther.multicast.join(other, on)
      yield* a.send("members", ports.at(portOf(inIt), group))
      yield* a.send("others", ports.at(portOf(inIt), other))
      yield* hears(inIt, "members", "what the member heard")
      yield* hears(inOther, "others", "what the other member heard")
      yield* inNone.multicast.join(group, on)
      yield* a.send("now", ports.at(portOf(inIt), group))
      yield* hears(inNone, "now", "what was heard after joining")
      yield* hears(inIt, "now", "what the first member heard then")
    }),
    "membersOnly"
  )
]
