import * as Effect from "effect/Effect"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { inetOf, pathOf } from "../support/endpoints.ts"

const identity = { certificate: "a certificate", privateKey: "its key" }
const standIn: ReactorSuite.TlsMaterial = {
  server: { identity, alpn: ["other", "echo"] },
  client: { alpn: ["echo"], serverName: "localhost" },
  standIn: true
}

// RFC 5737 §3: for documentation.
const blackHole = "198.51.100.1"
const staleFile = "/run/stale.sock"

const network = new MemoryNetwork.MemoryNetwork({ blackHoles: [blackHole], staleFiles: [staleFile] })

/** What is open on the network. */
const resources = Effect.map(network.statistics, ({ connections, events, ports }) => [
  ...ports,
  ...Array.from({ length: connections }, () => "connection"),
  ...Array.from({ length: events }, () => "event")
])

const tcp: ReactorSuite.Subject = {
  name: "TCP in memory",
  layer: MemoryReactor.layerOn(network),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  named: (host, port, options) => Endpoint.tcpClient({ ...options, host, port }),
  onPort: (host, port) => Endpoint.tcp({ interface: host, port }),
  unanswered: (options) => Effect.succeed(Endpoint.tcpClient({ ...options, host: blackHole, port: 1 })),
  tls: standIn,
  resources
}

let files = 0

const unix: ReactorSuite.Subject = {
  name: "UNIX sockets in memory",
  layer: tcp.layer,
  server: (options) => Effect.sync(() => Endpoint.unix({ ...options, path: `/run/${files++}.sock` })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) }),
  refused: Effect.succeed(Endpoint.unixClient({ path: staleFile })),
  tls: standIn,
  resources
}

const tls: ReactorSuite.Subject = {
  name: "the stand-in for TLS in memory",
  layer: tcp.layer,
  server: (options) =>
    Effect.succeed(Endpoint.tls({ ...options, port: 0, interface: "127.0.0.1", tls: standIn.server })),
  serverAt: (address) =>
    Endpoint.tls({ port: inetOf(address).port, interface: inetOf(address).host, tls: standIn.server }),
  client: (address, options) => Endpoint.tlsClient({ ...options, ...inetOf(address), tls: standIn.client }),
  named: (host, port, options) => Endpoint.tlsClient({ ...options, host, port, tls: standIn.client }),
  onPort: (host, port) => Endpoint.tls({ interface: host, port, tls: standIn.server }),
  unanswered: (options) =>
    Effect.succeed(Endpoint.tlsClient({ ...options, host: blackHole, port: 1, tls: standIn.client })),
  resources
}

// A pipe holds so many bytes on either side of a connection.
const systemBytesMax = 2 * 65_536

for (const subject of [tcp, unix, tls]) {
  conformance(
    `Transport over ${subject.name}`,
    TransportSuite.cases({
      name: subject.name,
      pair: ReactorSuite.pairOver(subject),
      capabilities:
        subject === unix ? ["HalfClose", "Reset", "Chunks"] : ["HalfClose", "Reset", "Chunks", "Addresses"],
      systemBytesMax,
      security: subject === tls ? "Tls" : "Plain",
      resources
    })
  )
  conformance(`Reactor with ${subject.name}`, ReactorSuite.cases(subject))
}
