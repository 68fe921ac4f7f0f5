/** Calls by Effect's RPC, over its own TCP sockets: `PORT`, `IN_FLIGHT`, `SECONDS`; see `callFor`. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { callFor, options, RpcSums } from "./sums.ts"

const main = Effect.gen(function* () {
  const client = yield* RpcClient.make(RpcSums)
  yield* callFor((a) => client.Sum({ a, b: 1 }), options)
})

const socket = NodeSocket.layerNet({ host: "127.0.0.1", port: Number(process.env["PORT"]) })
const layer = RpcClient.layerProtocolSocket().pipe(Layer.provide([socket, RpcSerialization.layerNdjson]))
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(layer)))
// Its ping keeps the process.
process.exit(0)
