/** A cache that speaks memcached's protocol. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { MemcacheServer, MemcacheStore } from "../../src/memcache/index.ts"
import { NodeReactor } from "../../src/node/index.ts"
import { Server } from "../../src/protocol/index.ts"
import { Endpoint } from "../../src/reactor/index.ts"
import { port, ready } from "./harness.ts"

const main = Effect.gen(function* () {
  const protocol = yield* MemcacheServer.make()
  const server = yield* Server.make(Endpoint.tcp({ port, interface: "127.0.0.1" }), protocol)
  ready(NetAddress.isInetAddress(server.address) ? server.address.port : 0)
  return yield* Effect.never
})

await Effect.runPromise(
  Effect.scoped(main).pipe(
    Effect.provide([NodeReactor.layer, MemcacheStore.layer({ bytesMax: 256 * 1024 * 1024 })]),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
)
