/** A cache that speaks memcached's protocol. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { MemcacheDatagramServer, MemcacheServer, MemcacheStore } from "../../src/memcache/index.ts"
import { NodeReactor } from "../../src/node/index.ts"
import { Server } from "../../src/protocol/index.ts"
import { Endpoint, Reactor } from "../../src/reactor/index.ts"
import { port, ready } from "./harness.ts"

const main = Effect.gen(function* () {
  const engine = yield* MemcacheServer.engine()
  const loopback = { interface: "127.0.0.1" }
  const server = yield* Server.make(Endpoint.tcp({ port, ...loopback }), yield* MemcacheServer.over(engine))
  const at = NetAddress.isInetAddress(server.address) ? server.address.port : 0
  const datagrams = yield* (yield* Reactor.Reactor).datagram(
    MemcacheDatagramServer.buffered(Endpoint.udp({ port: at, ...loopback }))
  )
  ready(at)
  return yield* MemcacheDatagramServer.serve(datagrams, engine)
})

await Effect.runPromise(
  Effect.scoped(main).pipe(
    Effect.provide([NodeReactor.layer, MemcacheStore.layer({ bytesMax: 256 * 1024 * 1024 })]),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
)
