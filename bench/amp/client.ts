/** Calls by AMP: `PORT`, `IN_FLIGHT`, `SECONDS`; see `callFor`. */
import * as Effect from "effect/Effect"
import { AmpClient } from "../../src/amp/index.ts"
import { NodeReactor } from "../../src/node/index.ts"
import { Endpoint } from "../../src/reactor/index.ts"
import { callFor, options, sums } from "./sums.ts"

const main = Effect.gen(function* () {
  const endpoint = Endpoint.tcpClient({ host: "127.0.0.1", port: Number(process.env["PORT"]) })
  const { calls } = yield* AmpClient.connect(endpoint, sums)
  yield* callFor((a) => calls.Sum({ a, b: 1 }), options)
})

await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(NodeReactor.layer)))
