/**
 * Three nodes of a log, as an application: each is a service of its own. While it runs, in the same directory,
 * `spindle restart --service b` restarts one; the log goes on.
 *
 *     npm run --silent spindle -- run examples/replicated-log/main.ts
 *     node --conditions=source examples/replicated-log/client.ts append "hello"
 *
 * `NODES` (`a=127.0.0.1:8021 ...`) says where they are, `DATA_DIR` where their journals are.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { Application, Service } from "spindle/app"
import * as LogPlaces from "./LogPlaces.ts"
import { careful } from "./LogRules.ts"
import * as LogServer from "./LogServer.ts"

export default Application.make({
  name: "replicated-log",
  description: "a log that three nodes keep",
  config: {
    nodes: LogPlaces.config("nodes"),
    directory: Config.String("dataDir").pipe(Config.withDefault("data"))
  },
  services: ({ directory, nodes }) =>
    nodes.map((self) =>
      Service.make({
        name: self.name,
        description: `keeps ${directory}/${self.name}.log`,
        run: () =>
          LogServer.run({
            self,
            nodes,
            path: `${directory}/${self.name}.log`,
            rules: careful,
            interface: self.host
          }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
      })
    )
})
