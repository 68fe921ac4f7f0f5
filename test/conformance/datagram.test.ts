import * as os from "node:os"
import * as Effect from "effect/Effect"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as DatagramSuite from "../../src/testing/DatagramSuite.ts"
import { conformance } from "../support/conformance.ts"
import { multicastV4, multicastV6 } from "../support/multicast.ts"
import { resources } from "../support/resources.ts"

const hasIpv6 = Object.values(os.networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)

const reactors = [
  { name: "Node", layer: NodeReactor.layer },
  { name: "Node, accelerated", layer: NodeReactor.layerWith({ datagramAccelerator: true }) }
]

for (const { layer, name } of reactors) {
  conformance(
    `Datagrams by ${name}, IPv4`,
    DatagramSuite.cases({
      name,
      layer,
      interface: "127.0.0.1",
      multicast: multicastV4.real ?? multicastV4.loopback,
      resources
    })
  )
  conformance(
    `Datagrams by ${name}, IPv6`,
    DatagramSuite.cases({
      name,
      layer,
      interface: "::1",
      multicast: multicastV6.real ?? multicastV6.loopback,
      resources
    }),
    hasIpv6 ? [] : [{ missing: "IPv6" }]
  )
}

// A machine without a network has only its loopback interface.
conformance(
  "Datagrams by Node, IPv4, groups on the loopback interface",
  DatagramSuite.cases({
    name: "Node",
    layer: NodeReactor.layer,
    interface: "127.0.0.1",
    multicast: multicastV4.loopback,
    resources
  }).filter(({ missing }) => missing.length === 0)
)

const network = new MemoryNetwork.MemoryNetwork({ hosts: { here: ["10.0.0.1", "fd00::1"] } })
/** What is open on the network. */
const open = Effect.map(network.statistics, ({ events, ports }) => [
  ...ports,
  ...Array.from({ length: events }, () => "event")
])

const inMemory = (host: string, by: string, group: string) =>
  DatagramSuite.cases({
    name: "memory",
    layer: MemoryReactor.layerOn(network, "here"),
    interface: host,
    multicast: { groups: [`${group}1`, `${group}2`], interface: by, loopback: true, membersOnly: true },
    resources: open
  })

conformance("Datagrams in memory, IPv4", inMemory("127.0.0.1", "10.0.0.1", "239.255.71."))
conformance("Datagrams in memory, IPv6", inMemory("::1", "fd00::1", "ff11::710"))
conformance(
  "Datagrams in memory, groups on the loopback interface",
  inMemory("127.0.0.1", "127.0.0.1", "239.255.71.")
)
