import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import * as certificates from "../support/certificates.ts"
import { conformance } from "../support/conformance.ts"
import { echoTls, inetOf, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

const machine = certificates.available ? [] : [{ missing: "openssl command" }]

const tls = echoTls() ?? { server: { identity: { certificate: "", privateKey: "" } }, client: {} }

const subject: ReactorSuite.Subject = {
  name: "TLS",
  layer: NodeReactor.layer,
  server: (options) =>
    Effect.succeed(Endpoint.tls({ ...options, port: 0, interface: "127.0.0.1", tls: tls.server })),
  serverAt: (address) =>
    Endpoint.tls({ port: inetOf(address).port, interface: inetOf(address).host, tls: tls.server }),
  client: (address, options) => Endpoint.tlsClient({ ...options, ...inetOf(address), tls: tls.client }),
  named: (host, port, options) => Endpoint.tlsClient({ ...options, host, port, tls: tls.client }),
  onPort: (host, port) => Endpoint.tls({ interface: host, port, tls: tls.server }),
  // Somebody listens, and never says a word of TLS.
  unanswered: (options) =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
      return Endpoint.tlsClient({ ...options, ...inetOf(listener.address), tls: tls.client })
    }),
  resources
}

conformance(
  "Transport over TLS",
  TransportSuite.cases({
    name: subject.name,
    pair: ReactorSuite.pairOver(subject),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax,
    security: "Tls",
    resources
  }),
  machine
)

conformance("Reactor with TLS", ReactorSuite.cases(subject), machine)
