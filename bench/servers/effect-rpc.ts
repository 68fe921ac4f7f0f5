/** Sums, by Effect's RPC over its own TCP sockets, as lines of JSON. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as SocketServer from "effect/socket/SocketServer"
import { RpcSums } from "../amp/sums.ts"
import { port, ready } from "./harness.ts"

const handlers = RpcSums.toLayer({ Sum: ({ a, b }) => Effect.succeed({ total: a + b }) })

const announce = Layer.effectDiscard(
  Effect.map(SocketServer.SocketServer, ({ address }) =>
    ready(NetAddress.isInetAddress(address) ? address.port : 0)
  )
)

const layer = Layer.mergeAll(RpcServer.layer(RpcSums), announce).pipe(
  Layer.provide([handlers, RpcServer.layerProtocolSocketServer]),
  Layer.provide([NodeSocketServer.layer({ port, host: "127.0.0.1" }), RpcSerialization.layerNdjson])
)

await Effect.runPromise(Layer.launch(layer))
