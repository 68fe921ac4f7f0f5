/** The suites, over UNIX sockets that carry descriptors. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NodeDescriptorLibc from "../../src/node/NodeDescriptorLibc.ts"
import * as NodeDescriptorReactor from "../../src/node/NodeDescriptorReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { pathOf, socketPath } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

/** A socket file whose listener is gone, as a crash leaves it. */
const staleFile = Effect.flatMap(socketPath, (path) =>
  Effect.callback<string>((resume) => {
    const server = net.createServer().listen(path, () => {
      // Node removes the file by its name.
      fs.renameSync(path, `${path}.stale`)
      server.close(() => resume(Effect.succeed(`${path}.stale`)))
    })
  })
)

const subject: ReactorSuite.Subject = {
  name: "UNIX with descriptors",
  layer: NodeDescriptorReactor.layer,
  server: (options) => Effect.map(socketPath, (path) => Endpoint.unix({ ...options, path })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) }),
  refused: Effect.map(staleFile, (path) => Endpoint.unixClient({ path })),
  resources
}

const isThere = (() => {
  try {
    NodeDescriptorLibc.load()
    return true
  } catch {
    return false
  }
})()

if (isThere) {
  conformance(
    "Transport over UNIX sockets with descriptors",
    TransportSuite.cases({
      name: subject.name,
      pair: ReactorSuite.pairOver(subject),
      capabilities: ["HalfClose", "Chunks"],
      systemBytesMax: 2 * 1024 * 1024,
      resources
    })
  )

  conformance("Reactor with UNIX sockets and descriptors", ReactorSuite.cases(subject))
}
