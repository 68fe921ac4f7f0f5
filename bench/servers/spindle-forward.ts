/** Our port forward. */
import * as Effect from "effect/Effect"
import { Client, Forward } from "spindle/protocol"
import { Endpoint } from "spindle/reactor"
import { backendPort } from "./backend.ts"
import { serve } from "./spindle.ts"

const behind = Endpoint.tcpClient({ host: "127.0.0.1", port: backendPort })

serve((transport) =>
  Effect.scoped(Effect.flatMap(Client.connect(behind), (other) => Forward.between(transport, other)))
)
