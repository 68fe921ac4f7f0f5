import * as Effect from "effect/Effect"
import * as NodeTlsOver from "../../src/node/NodeTlsOver.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import * as certificates from "../support/certificates.ts"
import { conformance } from "../support/conformance.ts"
import {
  converted,
  memoryPair,
  memoryResources,
  memorySystemBytesMax,
  tcpPair,
  unixPair
} from "../support/convertedPairs.ts"
import { echoTls, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

const machine = certificates.available ? [] : [{ missing: "openssl command" }]
const tls = echoTls() ?? { server: { identity: { certificate: "", privateKey: "" } }, client: {} }

const upgrades: Readonly<Record<"left" | "right", Tls.Upgrade>> = {
  left: { role: "client", tls: tls.client },
  right: { role: "server", tls: tls.server }
}

const secured = (pair: TransportSuite.MakePair): TransportSuite.MakePair =>
  converted(pair, (transport, side, options) => NodeTlsOver.secure(transport, upgrades[side], options))

/** The marks of the transport below, both sides, and what the streams in between hold of records. */
const layerBytesMax = 8 * 65_536

const everything = Effect.zipWith(resources, memoryResources, (real, virtual) => [...real, ...virtual])

conformance(
  "Transport over TLS over memory",
  TransportSuite.cases({
    name: "TLS over memory",
    pair: secured(memoryPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: memorySystemBytesMax + layerBytesMax,
    security: "Tls",
    resources: everything
  }),
  machine
)

conformance(
  "Transport over TLS over UNIX sockets",
  TransportSuite.cases({
    name: "TLS over UNIX",
    pair: secured(unixPair),
    // A UNIX socket has no reset, and Node takes an end without close_notify for an end.
    capabilities: ["HalfClose", "Chunks"],
    systemBytesMax: 2 * 1024 * 1024 + layerBytesMax,
    security: "Tls",
    resources
  }),
  machine
)

conformance(
  "Transport over TLS over TLS over TCP",
  TransportSuite.cases({
    name: "TLS over TLS",
    pair: secured(secured(tcpPair)),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax + 2 * layerBytesMax,
    security: "Tls",
    resources
  }),
  machine
)
