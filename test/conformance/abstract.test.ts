/** UNIX sockets with abstract names (Linux): no file, no lock, no mode; otherwise as any. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { pathOf } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

let names = 0
const name = Effect.sync(() => `\0spindle test ${process.pid} ${names++}`)

const subject = (kind: string, layer: Layer.Layer<Reactor>): ReactorSuite.Subject => ({
  name: kind,
  layer,
  server: (options) => Effect.map(name, (path) => Endpoint.unix({ ...options, path })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) }),
  resources
})

const node = subject("abstract", NodeReactor.layer)
const machine = process.platform === "linux" ? [] : [{ missing: "abstract names" }]

conformance(
  "Transport over abstract UNIX sockets",
  TransportSuite.cases({
    name: node.name,
    pair: ReactorSuite.pairOver(node),
    capabilities: ["HalfClose", "Chunks"],
    systemBytesMax: 2 * 1024 * 1024,
    resources
  }),
  machine
)

conformance("Reactor with abstract UNIX sockets", ReactorSuite.cases(node), machine)

conformance(
  "Memory reactor with abstract UNIX sockets",
  ReactorSuite.cases(subject("abstract in memory", Layer.fresh(MemoryReactor.layer())))
)
