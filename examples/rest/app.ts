/**
 * An inventory, as JSON over HTTP: an `HttpApi` with its OpenAPI document, kept in SQLite, for `spindle run`.
 *
 *     npm run --silent spindle -- run examples/rest/app.ts
 *     curl -u writer:writer -d '{"sku":"A-1","name":"a nail","quantity":100,"priceCents":2}' -H 'content-type: application/json' http://127.0.0.1:8013/items
 *
 * A browser shows the API at http://127.0.0.1:8013/docs. `LISTEN`, `DATA_DIR`, `TOKEN` and `REQUESTS_PER_MINUTE` are from the
 * environment, from `--set listen=...`, or from a file (`--config`). The users are `reader` and `writer`, their passwords the same:
 * passwords of your own belong into a file (`PasswordFile` of spindle/auth), and on the network under TLS.
 */
import * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import { Application, EndpointConfig, HttpService, Service } from "spindle/app"
import { Endpoint } from "spindle/reactor"
import { Inventory } from "./Inventory.ts"
import { routes } from "./routes.ts"

export default Application.make({
  name: "inventory",
  description: "how many there are of what",
  config: {
    listen: EndpointConfig.server("listen").pipe(
      Config.withDefault(Endpoint.tcp({ port: 8013, interface: "127.0.0.1" }))
    ),
    directory: Config.String("dataDir").pipe(Config.withDefault("data")),
    token: Config.Redacted("token").pipe(Config.withDefault(Redacted.make("robot"))),
    requestsPerMinute: Config.Int("requestsPerMinute").pipe(Config.withDefault(600))
  },
  services: ({ directory, listen, requestsPerMinute, token }) => [
    Service.layer(Inventory.layer(directory), { name: "inventory", description: `SQLite in ${directory}` }),
    HttpService.make({
      name: "http",
      endpoint: listen,
      routes: routes({ users: { reader: "reader", writer: "writer" }, token, requestsPerMinute }),
      bodyBytesMax: 65_536
    })
  ]
})
