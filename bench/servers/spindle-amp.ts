/** Sums, by AMP. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { AmpResponder, AmpServer } from "../../src/amp/index.ts"
import { NodeReactor } from "../../src/node/index.ts"
import { Server } from "../../src/protocol/index.ts"
import { Endpoint } from "../../src/reactor/index.ts"
import { sums } from "../amp/sums.ts"
import { port, ready } from "./harness.ts"

const main = Effect.gen(function* () {
  const protocol = AmpServer.protocol(
    AmpResponder.make(sums, { Sum: ({ a, b }) => Effect.succeed({ total: a + b }) })
  )
  const server = yield* Server.make(Endpoint.tcp({ port, interface: "127.0.0.1" }), protocol)
  ready(NetAddress.isInetAddress(server.address) ? server.address.port : 0)
  return yield* Effect.never
})

await Effect.runPromise(
  Effect.scoped(main).pipe(
    Effect.provide(NodeReactor.layer),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
)
