/**
 * A telemetry gateway: readings come in as lines over TCP, TLS and UDP (`station metric value [timestamp]`), are
 * kept in SQLite, and are served as JSON over HTTP. `npm start` runs it; `npm run feed` feeds it. While it runs,
 * `spindle status`, `reload`, `restart` and `stop` are for it.
 *
 * Environment: `GATEWAY_TCP`, `GATEWAY_TLS`, `GATEWAY_UDP`, `GATEWAY_HTTP` (endpoint descriptions), `DATA_DIR`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Application, DatagramService, HttpService, Service, StreamServerService } from "spindle/app"
import type { Transport } from "spindle/reactor"
import { Counters } from "./Counters.ts"
import * as Documentation from "./Documentation.ts"
import * as Doors from "./Doors.ts"
import * as Endpoints from "./Endpoints.ts"
import * as HttpApi from "./HttpApi.ts"
import * as Ingest from "./Ingest.ts"
import * as Live from "./Live.ts"
import { Store } from "./Store.ts"

/** Conversations end by themselves when the gateway stops; only a peer that reads no replies takes longer. */
const stopSoon = { drainTimeout: "500 millis", interruptTimeout: "100 millis" } as const

const ingest = (transport: Transport.Transport) =>
  Effect.flatMap(Ingest.conversation, (conversation) => conversation(transport))

export default Application.make({
  name: "gateway",
  description: "takes readings in, and answers questions about them",
  config: Endpoints.config,
  services: ({ directory, http, tcp, tls, udp }) => {
    const secured = Endpoints.tls(tls, directory)
    const doors = Doors.make(secured.authority)
    const lines = (name: "tcp" | "tls", endpoint: StreamServerService.Options<never, never>["endpoint"]) =>
      StreamServerService.make({
        name,
        endpoint,
        protocol: ingest,
        ...stopSoon,
        onStart: ([server]) => doors.opened(name, server!.address)
      })
    return [
      Service.layer(Live.Live.layer, { name: "live", description: "readings as they come" }),
      Service.layer(Live.telling(Store.layer({ directory })), {
        name: "store",
        description: `SQLite in ${directory}`
      }),
      Service.layer(Counters.layer, { name: "counters" }),
      lines("tcp", tcp),
      lines("tls", secured.endpoint),
      DatagramService.make({
        name: "udp",
        endpoint: udp,
        serve: (port) => Effect.andThen(doors.opened("udp", port.local), Ingest.datagrams(port))
      }),
      HttpService.make({
        name: "http",
        endpoint: http,
        routes: Layer.mergeAll(HttpApi.layer, Documentation.layer, Live.routes),
        drainTimeout: "1 second",
        onStart: (address) => doors.opened("http", address)
      })
    ]
  }
})
