import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { echoTls, inetOf, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"
import { unansweredPort } from "../support/unanswered.ts"

const subject: ReactorSuite.Subject = {
  name: "TCP",
  layer: NodeReactor.layer,
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  named: (host, port, options) => Endpoint.tcpClient({ ...options, host, port }),
  onPort: (host, port) => Endpoint.tcp({ interface: host, port }),
  unanswered: (options) =>
    Effect.map(unansweredPort, (port) => Endpoint.tcpClient({ ...options, host: "127.0.0.1", port })),
  tls: echoTls(),
  resources
}

conformance(
  "Transport over TCP",
  TransportSuite.cases({
    name: subject.name,
    pair: ReactorSuite.pairOver(subject),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax,
    resources
  })
)

conformance("Reactor with TCP", ReactorSuite.cases(subject))
