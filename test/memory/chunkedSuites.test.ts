import * as Effect from "effect/Effect"
import * as MemoryChunking from "../../src/memory/MemoryChunking.ts"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { inetOf } from "../support/endpoints.ts"

// The public suites once more, over a network with small buffers where everything arrives in odd pieces.
const capacityBytes = 4_096
const network = new MemoryNetwork.MemoryNetwork({ chunking: MemoryChunking.seeded(42, 5_000), capacityBytes })
const identity = { certificate: "a certificate", privateKey: "its key" }

const subject: ReactorSuite.Subject = {
  name: "memory, in odd pieces",
  layer: MemoryReactor.layerOn(network),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  tls: {
    server: { identity, alpn: ["other", "echo"] },
    client: { alpn: ["echo"], serverName: "localhost" },
    standIn: true
  },
  resources: Effect.map(network.statistics, ({ connections, ports }) => [
    ...ports,
    ...Array.from({ length: connections }, () => "connection")
  ])
}

conformance(
  `Transport over ${subject.name}`,
  TransportSuite.cases({
    name: subject.name,
    pair: ReactorSuite.pairOver(subject),
    capabilities: ["HalfClose", "Reset", "Addresses"],
    systemBytesMax: 2 * capacityBytes,
    resources: subject.resources
  })
)

conformance(`Reactor with ${subject.name}`, ReactorSuite.cases(subject))
